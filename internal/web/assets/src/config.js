// The config form: a dot on what differs from the default and a way back, the changed keys alone, presets, and TOML in step with the
// fields. The server turns the one into the other, so that there is one reading of TOML.
export function configForms() {
  for (const form of document.querySelectorAll('[data-config-form]')) configForm(form);
}

function configForm(form) {
  const count = form.querySelector('[data-changed-count]');
  const rows = [...form.querySelectorAll('.b-cfg')];
  const field = (row) => row.querySelector('[data-default]');
  const fields = new Map(rows.map((row) => [field(row).name.slice('config.'.length), field(row)]));
  const same = (el) => {
    const a = el.value, b = el.dataset.default;
    return a === b || (el.dataset.kind !== 'string' && a.trim() !== '' && (a.trim() === b || Number(a) === Number(b)));
  };
  const look = () => {
    let n = 0;
    for (const row of rows) {
      const changed = !same(field(row));
      row.classList.toggle('is-changed', changed);
      if (changed) n++;
    }
    if (count && rows.length) count.textContent = `${n} of ${rows.length} changed`;
  };
  const put = (values) => {
    for (const [key, el] of fields) {
      const text = values[key] ?? el.dataset.default;
      if (el.tagName === 'SELECT' && ![...el.options].some((o) => o.value === text)) el.add(new Option(text, text));
      el.value = text;
    }
    look();
  };
  const tabs = rows.length ? steps(form, put) : null;
  form.addEventListener('input', (e) => { if (e.target.dataset.default !== undefined) { look(); tabs?.touched(); } });
  form.addEventListener('click', (e) => {
    const button = e.target.closest('.b-reset');
    if (!button) return;
    const el = field(button.closest('.b-cfg'));
    el.value = el.dataset.default;
    look();
    tabs?.touched();
    el.focus();
  });
  form.addEventListener('change', (e) => {
    if (e.target.name !== 'config_as') return;
    // What is shown as changed stays while one works on it.
    for (const row of rows) row.classList.toggle('is-kept', e.target.value === 'changed' && row.classList.contains('is-changed'));
  });
  if (rows.length) presets(form, (values) => { put(values); tabs.touched(); tabs.open(); });
  const app = form.querySelector('[data-app-select]');
  app?.addEventListener('change', () => { location.search = '?app=' + encodeURIComponent(app.value); });
  look();
}

// ask sends the form to one of its addresses and returns the answer; what is refused is thrown with the server's words.
async function ask(form, path, more = {}) {
  const body = new URLSearchParams(new FormData(form));
  for (const [key, value] of Object.entries(more)) body.set(key, value);
  const answer = await fetch(form.querySelector('[data-conf]').dataset.conf + path, { method: 'POST', body });
  const got = await answer.json();
  if (!answer.ok) throw new Error([got.message, got.remedy].filter(Boolean).join(' '));
  return got;
}

// steps keeps the TOML text and the fields in step. What was written in either is turned into the other when that is looked at, or
// soon after; a text with mistakes changes no field and says where they are.
function steps(form, put) {
  const text = form.querySelector('[name=toml]'), errors = form.querySelector('#toml-errors');
  let dirty = false, timer = null, asked = 0;
  const tab = () => form.querySelector('[name=config_as]:checked')?.value;
  const say = (list) => {
    errors.replaceChildren(...list.map((p) => {
      const row = document.createElement('small');
      row.className = 'b-error';
      row.textContent = [p.message, p.remedy].filter(Boolean).join(' ');
      return row;
    }));
    if (list.length) text.setAttribute('aria-invalid', 'true');
    else text.removeAttribute('aria-invalid');
  };
  const toText = async () => {
    const mine = ++asked;
    try {
      const got = await ask(form, '/config.json', { config_as: 'form' });
      if (mine !== asked) return;
      text.value = got.toml;
      dirty = false;
      say(got.errors);
    } catch (err) { say([{ message: err.message }]); }
  };
  const toFields = async () => {
    clearTimeout(timer);
    timer = null;
    const mine = ++asked;
    try {
      const got = await ask(form, '/config.json', { config_as: 'toml' });
      if (mine !== asked) return;
      say(got.errors);
      if (!got.errors.length) { put(got.values); dirty = false; }
    } catch (err) { say([{ message: err.message }]); }
  };
  text.addEventListener('input', (e) => {
    e.stopPropagation();
    clearTimeout(timer);
    timer = setTimeout(toFields, 250);
  });
  form.addEventListener('change', (e) => {
    if (e.target.name !== 'config_as') return;
    if (tab() === 'toml') { if (dirty) toText(); } else if (timer) toFields();
  });
  return { touched() { dirty = true; }, open() { if (tab() === 'toml') toText(); } };
}

function presets(form, take) {
  const box = form.querySelector('[data-presets]'), pick = box.querySelector('[data-preset]'), drop = box.querySelector('[data-preset-drop]');
  const name = box.querySelector('[data-preset-name]'), said = box.querySelector('[data-preset-said]');
  box.hidden = false;
  const chosen = () => pick.selectedOptions[0];
  const look = () => { drop.hidden = !chosen().hasAttribute('data-saved'); };
  pick.addEventListener('change', () => {
    take(JSON.parse(chosen().dataset.values));
    said.textContent = '';
    look();
  });
  const save = async () => {
    try {
      const got = await ask(form, '/presets.json', { preset: name.value });
      let option = [...pick.options].find((o) => o.value === got.name);
      if (!option) pick.add(option = new Option(got.name, got.name));
      option.dataset.values = JSON.stringify(got.config);
      option.setAttribute('data-saved', '');
      pick.value = got.name;
      name.value = '';
      said.textContent = `Saved as ${got.name}.`;
      look();
    } catch (err) { said.textContent = err.message; }
  };
  box.querySelector('[data-preset-save]').addEventListener('click', save);
  name.addEventListener('keydown', (e) => { if (e.key === 'Enter') { e.preventDefault(); save(); } });
  drop.addEventListener('click', async () => {
    try {
      const got = await ask(form, '/presets/drop.json', { preset: pick.value });
      chosen().remove();
      pick.value = '';
      said.textContent = `${got.name} is deleted; the values are still here.`;
      look();
      pick.focus();
    } catch (err) { said.textContent = err.message; }
  });
  look();
}
