// The table of runs: picks live in the page's address by Run ID, so that they survive Back, paging, sorting and live updates of
// the rows; a filter applies as soon as it is chosen.
const most = 8;

export function runTables() {
  document.addEventListener('change', (e) => { if (e.target.closest('[data-submit]')) e.target.form.requestSubmit(); });
  for (const b of document.querySelectorAll('[data-submit-button]')) b.classList.add('b-gone');
  const el = document.querySelector('[data-runs]');
  if (!el) return;
  const picks = () => (new URL(location).searchParams.get('pick') ?? '').split(',').filter(Boolean);
  const keep = (list) => {
    const url = new URL(location);
    if (list.length) url.searchParams.set('pick', list.join(',')); else url.searchParams.delete('pick');
    history.replaceState(history.state, '', url);
    say();
  };
  const say = () => {
    const list = picks();
    for (const box of el.querySelectorAll('[data-pick-run]')) {
      box.checked = list.includes(box.value);
      box.closest('tr').setAttribute('aria-selected', String(box.checked));
    }
    const words = list.length === 0 ? `Pick 2 to ${most} runs to compare.` : list.length === 1 ? `${list[0]} picked; one more to compare.`
      : list.length > most ? `${list.length} picked; at most ${most} can be compared.` : `${list.length} picked: ${list.join(', ')}`;
    const place = el.querySelector('[data-picked]');
    if (place.textContent !== words) place.textContent = words;
    el.querySelector('[data-unpick]').classList.toggle('b-gone', list.length === 0);
    const button = el.querySelector('[data-compare] .btn');
    button.disabled = list.length < 2 || list.length > most;
    button.classList.toggle('btn-primary', !button.disabled);
    const drop = el.querySelector('[data-delete-picked]');
    if (drop) drop.disabled = list.length === 0;
  };
  el.addEventListener('change', (e) => {
    const box = e.target.closest('[data-pick-run]');
    if (box) keep(box.checked ? [...new Set([...picks(), box.value])] : picks().filter((n) => n !== box.value));
  });
  el.addEventListener('click', (e) => {
    if (e.target.closest('[data-unpick]')) keep([]);
    const link = e.target.closest('a[href]');
    if (!link || new URL(link.href).pathname !== location.pathname) return;
    const url = new URL(link.href);
    if (picks().length) url.searchParams.set('pick', picks().join(',')); else url.searchParams.delete('pick');
    link.href = url;
  });
  el.addEventListener('submit', (e) => {
    if (e.submitter?.matches('[data-delete-picked]')) { // those picked on other pages too
      for (const name of picks()) {
        if ([...el.querySelectorAll('[data-pick-run]')].some((b) => b.value === name)) continue;
        const more = document.createElement('input');
        more.type = 'hidden'; more.name = 'run'; more.value = name;
        e.target.append(more);
      }
      return;
    }
    if (e.target.matches('[data-compare]')) {
      e.preventDefault();
      location.href = `${el.dataset.runs}?runs=${picks().join(',')}`;
      return;
    }
    let field = e.target.querySelector('[name=pick]');
    if (!field) { field = document.createElement('input'); field.type = 'hidden'; field.name = 'pick'; e.target.append(field); }
    field.value = picks().join(',');
    for (const f of e.target.querySelectorAll('select[name=col]')) f.disabled = f.value === '';
    field.disabled = !field.value;
  });
  document.addEventListener('htmx:after:swap', say);
  window.addEventListener('pageshow', say);
  say();
}
