// Copy buttons: the text is what the button names, never what is masked on the screen.
export function copyBoxes() {
  document.addEventListener('click', async (e) => {
    const button = e.target.closest('[data-copy]');
    if (!button) return;
    const from = document.getElementById(button.dataset.copy);
    const text = from?.dataset.text ?? from?.textContent ?? '';
    const words = button.querySelector('span') ?? button;
    const before = words.textContent;
    try {
      await navigator.clipboard.writeText(text);
      words.textContent = 'Copied';
    } catch {
      reveal(from);
      const range = document.createRange();
      range.selectNodeContents(from);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      words.textContent = 'Selected: press Ctrl C';
    }
    setTimeout(() => { words.textContent = before; }, 2500);
  });
  document.addEventListener('click', (e) => {
    const button = e.target.closest('[data-reveal]');
    if (!button) return;
    reveal(document.getElementById(button.dataset.reveal));
    button.remove();
  });
}

function reveal(el) {
  if (el?.dataset.text) el.textContent = el.dataset.text;
}
