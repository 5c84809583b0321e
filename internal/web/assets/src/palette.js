// The palette: Ctrl-K, type, Enter. The server says what there is for whom; here is only the keyboard. The field is a combobox whose
// list is beside it, so that a screen reader hears each choice while one types; closing gives the focus back to where it was.
const pause = 120; // of typing before the server is asked

export function palettes() {
  const dialog = document.getElementById('palette'), button = document.querySelector('[data-find]');
  if (!dialog || !button) return;
  const field = dialog.querySelector('input'), list = dialog.querySelector('[role=listbox]'), said = dialog.querySelector('[data-said]');
  let asking = null, timer = 0, at = -1;
  const options = () => [...list.querySelectorAll('[role=option]')];

  const pick = (n) => {
    const all = options();
    all[at]?.setAttribute('aria-selected', 'false');
    at = all.length ? (n + all.length) % all.length : -1;
    if (at < 0) return field.removeAttribute('aria-activedescendant');
    all[at].setAttribute('aria-selected', 'true');
    all[at].scrollIntoView({ block: 'nearest' });
    field.setAttribute('aria-activedescendant', all[at].id);
  };

  const show = (groups) => {
    let n = 0;
    list.replaceChildren(...groups.map(({ kind, hits }, g) => {
      const group = document.createElement('div'), head = document.createElement('h3');
      group.setAttribute('role', 'group');
      group.setAttribute('aria-labelledby', head.id = 'found-' + g);
      head.setAttribute('role', 'presentation');
      head.textContent = kind;
      group.append(head, ...hits.map((h) => {
        const a = document.createElement('a'), more = document.createElement('small');
        a.id = 'found-at-' + n++;
        a.setAttribute('role', 'option');
        a.setAttribute('aria-selected', 'false');
        a.tabIndex = -1;
        a.href = h.href;
        more.textContent = h.more ?? '';
        a.append(h.name, ' ', more);
        return a;
      }));
      return group;
    }));
    field.setAttribute('aria-expanded', String(n > 0));
    said.textContent = n === 0 ? 'Nothing matches.' : `${n === 1 ? '1 match' : n + ' matches'}; arrows choose, Enter opens.`;
    at = -1;
    pick(0);
  };

  const ask = async () => {
    asking?.abort();
    const mine = asking = new AbortController();
    try {
      const res = await fetch('/find.json?q=' + encodeURIComponent(field.value), { signal: mine.signal, headers: { Accept: 'application/json' } });
      const answer = await res.json();
      if (mine !== asking) return;
      if (res.ok) return show(answer);
      show([]);
      said.textContent = `${answer.message} ${answer.remedy ?? ''}`;
    } catch (e) {
      if (e.name === 'AbortError') return;
      show([]);
      said.textContent = 'The server does not answer. Try again.';
    }
  };

  const open = () => {
    if (dialog.open) return dialog.close();
    if (document.querySelector('dialog[open]')) return;
    field.value = '';
    list.replaceChildren();
    said.textContent = '';
    dialog.showModal();
    field.focus();
    ask();
  };

  button.hidden = false;
  button.addEventListener('click', open);
  document.addEventListener('keydown', (e) => {
    if ((e.ctrlKey || e.metaKey) && !e.altKey && !e.shiftKey && e.key.toLowerCase() === 'k') {
      e.preventDefault();
      open();
    }
  });
  field.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(ask, pause); });
  field.addEventListener('keydown', (e) => {
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 }[e.key];
    if (to !== undefined) { e.preventDefault(); pick(to); }
    if (e.key === 'Enter') { e.preventDefault(); options()[at]?.click(); }
  });
  dialog.addEventListener('click', (e) => { if (e.target === dialog || e.target.closest('a')) dialog.close(); });
  dialog.addEventListener('close', () => { asking?.abort(); clearTimeout(timer); });
}
