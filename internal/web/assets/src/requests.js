// Picking requests: the button says how many and which partitions they get. Picks live here by id, so that a live update of the
// list does not lose them.
const picked = new Set();

export function requestLists() {
  document.addEventListener('change', (e) => {
    const box = e.target.closest('[data-pick]');
    if (!box) return;
    if (box.checked) picked.add(box.value); else picked.delete(box.value);
    say();
  });
  document.addEventListener('htmx:after:swap', say);
  say();
}

function say() {
  const button = document.querySelector('[data-approve]');
  if (!button) return;
  const boxes = [...document.querySelectorAll('[data-pick]')];
  for (const id of [...picked]) if (!boxes.some((b) => b.value === id)) picked.delete(id);
  for (const b of boxes) b.checked = picked.has(b.value);
  const free = (button.dataset.free ?? '').split(',').filter(Boolean);
  const n = picked.size;
  button.disabled = n === 0 || n > free.length;
  const words = n > free.length ? `Only ${free.length} partitions are free` : n === 0 ? 'Approve' : `Approve ${n}: partition${n > 1 ? 's' : ''} ${free.slice(0, n).join(', ')}`;
  if (button.textContent !== words) button.textContent = words;
}
