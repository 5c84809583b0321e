// One line of a log: its number, when it came, its text in the colours that the app gave it.
const ansi = /\x1b\[([0-9;]*)([A-Za-z])/g;

export function row({ n, at, level, text }) {
  const li = document.createElement('li');
  li.id = 'L' + n;
  li.dataset.n = n;
  const a = document.createElement('a');
  a.href = '#L' + n;
  a.textContent = n;
  const time = document.createElement('time');
  if (at) {
    const d = new Date(at);
    time.dateTime = d.toISOString();
    time.title = d.toLocaleString();
    time.textContent = clock(d);
  }
  const p = document.createElement('p');
  paint(p, visible(text));
  if (/\[ROUND \d+(\/\d+)?\]/.test(text)) li.className = 'is-round';
  else if (level === 'error' || level === 'critical') li.className = 'is-bad';
  else if (level === 'warning') li.className = 'is-warn';
  li.append(a, time, p);
  return li;
}

// visible is what a terminal would show of a progress bar: what follows its last carriage return.
export const visible = (text) => text.slice(text.lastIndexOf('\r') + 1);

// gap stands between lines that do not follow each other.
export function gap() {
  const li = document.createElement('li');
  li.className = 'is-gap';
  li.setAttribute('aria-hidden', 'true');
  return li;
}

const two = (n, w = 2) => String(n).padStart(w, '0');
export const clock = (d) => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${two(d.getMilliseconds(), 3)}`;

function paint(into, text) {
  for (const [part, look] of painted(text)) {
    const span = document.createElement('span');
    if (look) span.className = look;
    span.textContent = part;
    into.append(span);
  }
}

// painted splits a text at its ANSI codes into parts, each with the classes of its look; what else an app writes is text.
export function painted(text) {
  const on = new Set(), parts = [];
  let at = 0;
  const add = (s) => { if (s) parts.push([s, [...on].map((c) => 'a' + c).join(' ')]); };
  for (const m of text.matchAll(ansi)) {
    add(text.slice(at, m.index));
    at = m.index + m[0].length;
    if (m[2] === 'm') for (const c of m[1].split(';')) change(on, Number(c || 0));
  }
  add(text.slice(at));
  return parts;
}

// change takes one code: bold, faint, italic, underlined, a colour, or the end of it.
function change(on, c) {
  const drop = (from, to) => { for (const o of [...on]) if (o >= from && o <= to) on.delete(o); };
  if (c === 0) on.clear();
  else if (c >= 1 && c <= 4) on.add(c);
  else if (c === 22) drop(1, 2);
  else if (c === 23 || c === 24) on.delete(c - 20);
  else if (c === 39) { drop(30, 37); drop(90, 97); }
  else if ((c >= 31 && c <= 36) || (c >= 90 && c <= 96)) { drop(30, 37); drop(90, 97); on.add(c); }
}
