// The config form: a dot on what differs from the default, and a way back.
export function configForms() {
  for (const form of document.querySelectorAll('[data-config-form]')) {
    const count = form.querySelector('[data-changed-count]');
    const rows = [...form.querySelectorAll('.b-cfg')];
    const field = (row) => row.querySelector('[data-default]');
    const value = (el) => (el.type === 'checkbox' ? String(el.checked) : el.value.trim());
    const same = (el) => {
      const a = value(el), b = el.dataset.default;
      return a === b || (a !== '' && el.dataset.kind !== 'string' && Number(a) === Number(b));
    };
    const look = () => {
      let n = 0;
      for (const row of rows) {
        const changed = !same(field(row));
        row.classList.toggle('is-changed', changed);
        if (changed) n++;
      }
      if (count) count.textContent = `${n} of ${rows.length} changed`;
    };
    form.addEventListener('input', look);
    form.addEventListener('click', (e) => {
      const button = e.target.closest('.b-reset');
      if (!button) return;
      const el = field(button.closest('.b-cfg'));
      if (el.type === 'checkbox') el.checked = el.dataset.default === 'true';
      else el.value = el.dataset.default;
      look();
      el.focus();
    });
    const app = form.querySelector('[data-app-select]');
    app?.addEventListener('change', () => { location.search = '?app=' + encodeURIComponent(app.value); });
    look();
  }
}
