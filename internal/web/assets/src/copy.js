// Copy buttons and masked secrets: what is copied is the text itself, never what is masked on the screen.
export function copyBoxes() {
  document.addEventListener('click', (e) => {
    const copies = e.target.closest('[data-copies]'), shows = e.target.closest('[data-show]');
    if (copies) copy(copies);
    if (shows) show(shows);
  });
}

async function copy(button) {
  const from = document.getElementById(button.dataset.copies), words = button.querySelector('span') ?? button;
  const before = words.textContent;
  try {
    await navigator.clipboard.writeText(from.dataset.secret ?? from.textContent.trim());
    words.textContent = 'Copied';
  } catch { // no clipboard without TLS or permission: select it instead
    if (from.dataset.secret) from.textContent = from.dataset.secret;
    getSelection().selectAllChildren(from);
    words.textContent = 'Press Ctrl C';
  }
  setTimeout(() => { words.textContent = before; }, 2500);
}

function show(button) {
  const code = document.getElementById(button.dataset.show), shown = button.getAttribute('aria-pressed') === 'true';
  code.textContent = shown ? code.dataset.masked : code.dataset.secret;
  button.setAttribute('aria-pressed', String(!shown));
  button.textContent = shown ? 'Show' : 'Hide';
}
