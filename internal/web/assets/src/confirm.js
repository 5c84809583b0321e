// Confirms what cannot be undone, naming the object and the effect, in a dialog whose button says what it does. What the dialog confirmed
// is sent with the form: the server asks on a page of its own where it is missing.
export function confirms() {
  document.addEventListener('submit', (e) => {
    const form = e.target, words = form.dataset.confirm;
    if (!words || form.dataset.confirmed) return;
    e.preventDefault();
    const dialog = document.createElement('dialog');
    dialog.className = 'b-dialog';
    const text = document.createElement('p'), row = document.createElement('div'), no = document.createElement('button'), yes = document.createElement('button');
    text.textContent = words;
    row.className = 'b-row';
    no.className = 'btn';
    no.textContent = 'Cancel';
    yes.className = 'btn is-stop';
    yes.textContent = form.dataset.confirmDo ?? 'Go on';
    no.addEventListener('click', () => dialog.close());
    yes.addEventListener('click', () => {
      form.dataset.confirmed = '1';
      form.append(Object.assign(document.createElement('input'), { type: 'hidden', name: 'confirmed', value: 'yes' }));
      dialog.close();
      form.requestSubmit();
    });
    dialog.addEventListener('close', () => dialog.remove());
    row.append(yes, no);
    dialog.append(text, row);
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  });
}
