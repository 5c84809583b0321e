// picker lets a reader choose whose lines are drawn: the five lowest or highest, or single participants.
const most = 50; // shown of a search

export function picker(el, view, changed) {
  const box = el.querySelector('[data-chart-people]'), find = el.querySelector('input[type=search]');
  let nodes = {}, drawn = '';
  const ranks = () => { for (const r of el.querySelectorAll('input[name=chart-rank]')) r.checked = r.value === view.rank; };
  for (const r of el.querySelectorAll('input[name=chart-rank]')) r.addEventListener('change', () => { view.rank = r.value; changed(); });
  ranks();
  const draw = () => {
    const words = find.value.trim().toLowerCase();
    const names = Object.values(nodes).filter((n) => n.startsWith('partition ')).sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).filter((n) => n.includes(words));
    const key = names.slice(0, most).join() + view.pick;
    if (key === drawn) return;
    drawn = key;
    box.replaceChildren(...names.slice(0, most).map((n) => {
      const label = document.createElement('label'), input = document.createElement('input'), id = n.replace('partition ', '');
      label.className = 'b-row';
      input.type = 'checkbox';
      input.className = 'form-check-input';
      input.checked = view.pick.includes(id);
      input.addEventListener('change', () => {
        view.pick = input.checked ? [...view.pick, id].slice(-20) : view.pick.filter((p) => p !== id);
        if (input.checked && view.rank) { view.rank = ''; el.querySelector('input[name=chart-rank][value=""]').checked = true; }
        changed();
      });
      label.append(input, n);
      return label;
    }));
    if (names.length > most) { const p = document.createElement('small'); p.textContent = `${names.length - most} more: search for a number`; box.append(p); }
  };
  find.addEventListener('input', draw);
  el.addEventListener('keydown', (e) => { if (e.key === 'Escape') { el.open = false; el.querySelector('summary').focus(); } });
  return { ranks, show(known) { nodes = known; draw(); } };
}
