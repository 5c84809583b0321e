// Picking requests: the button says how many and which partitions they get. Picks live here by id, so that a live update of the
// list does not lose them.
const picked = new Set();

export function requestLists() {
  document.addEventListener('change', (e) => {
    const box = e.target.closest('[data-pick], [data-pick-all]');
    if (!box) return;
    if (box.matches('[data-pick-all]')) {
      for (const b of document.querySelectorAll('[data-pick]')) if (box.checked) picked.add(b.value); else picked.delete(b.value);
    } else if (box.checked) picked.add(box.value); else picked.delete(box.value);
    say();
  });
  document.addEventListener('htmx:after:swap', say);
  say();
}

function say() {
  const button = document.querySelector('[data-approve]');
  const boxes = [...document.querySelectorAll('[data-pick]')];
  for (const id of [...picked]) if (!boxes.some((b) => b.value === id)) picked.delete(id);
  for (const b of boxes) b.checked = picked.has(b.value);
  const all = document.querySelector('[data-pick-all]');
  if (all) { all.checked = picked.size > 0 && picked.size === boxes.length; all.indeterminate = picked.size > 0 && !all.checked; }
  if (!button) return;
  const free = (button.dataset.free ?? '').split(',').filter(Boolean);
  const n = Math.min(picked.size, free.length), shown = free.slice(0, Math.min(n, 8)).join(', ') + (n > 8 ? ` and ${n - 8} more` : '');
  button.disabled = n === 0;
  const which = picked.size > n ? `the first ${n} of ${picked.size}` : `${n}`;
  const words = n === 0 ? 'Approve' : `Approve ${which}: partition${n > 1 ? 's' : ''} ${shown}`;
  const most = document.querySelector('[data-most]');
  if (most) most.value = picked.size > n ? n : '';
  if (button.textContent !== words) button.textContent = words;
}
