// The log viewer: a window of at most 2,000 lines over a log that the server pages. It follows only at the end.
const most = 2000, batch = 1000;
const ansi = /\x1b\[([0-9;]*)m/g;

export function logViewers() {
  for (const el of document.querySelectorAll('[data-log]')) new Viewer(el);
}

class Viewer {
  constructor(el) {
    this.el = el;
    this.url = el.dataset.log;
    this.box = el.querySelector('.b-log');
    this.list = this.box.querySelector('ol');
    this.count = el.querySelector('[data-log-count]');
    this.follow = el.querySelector('[data-log-follow]');
    this.first = 0;
    this.next = 0; // the line after the last one shown
    this.following = !el.dataset.line;
    this.busy = false;
    this.again = false;
    this.box.addEventListener('scroll', () => this.scrolled());
    this.follow?.addEventListener('click', () => this.setFollow(!this.following));
    el.querySelector('[data-log-search]')?.addEventListener('input', (e) => this.search(e.target.value));
    document.addEventListener('keydown', (e) => {
      if (e.key === 'f' && !e.ctrlKey && !e.metaKey && !/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) this.setFollow(!this.following);
    });
    document.addEventListener('log', () => this.more());
    this.start();
    if (el.dataset.poll) setInterval(() => this.more(), 2000);
  }

  async start() {
    const line = Number(el_line(this.el));
    await this.load(line ? Math.max(1, line - 200) : -500);
    const target = line && document.getElementById('L' + line);
    if (target) { target.classList.add('is-hit'); this.box.scrollTop = target.offsetTop - this.box.offsetTop - 80; }
  }

  async load(from) {
    const res = await fetch(`${this.url}?from=${from}&limit=${batch}`);
    if (!res.ok) return;
    const { lines, total } = await res.json();
    if (from < 0 || this.next === 0) this.first = lines[0]?.n ?? 1;
    this.append(lines);
    this.next = lines.length ? lines.at(-1).n + 1 : Math.max(this.next, 1);
    this.total = total;
    this.say();
    return lines.length;
  }

  async more() {
    if (this.busy) { this.again = true; return; }
    this.busy = true;
    try {
      do {
        this.again = false;
        if (!this.following && this.shown() >= most) { await this.onlyCount(); break; }
        while ((await this.load(this.next || 1)) === batch && this.following);
      } while (this.again);
    } catch { /* the connection is away: the next event tries again */ } finally { this.busy = false; }
  }

  async onlyCount() {
    const res = await fetch(`${this.url}?from=-1&limit=1`);
    if (res.ok) { this.total = (await res.json()).total; this.say(); }
  }

  append(lines) {
    const stick = this.following;
    const part = document.createDocumentFragment();
    for (const l of lines) part.append(row(l));
    this.list.append(part);
    if (stick) {
      while (this.shown() > most) this.list.firstElementChild.remove();
      this.box.scrollTop = this.box.scrollHeight;
    }
    if (this.words) this.mark();
  }

  shown() { return this.list.childElementCount; }

  scrolled() {
    const atEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 8;
    if (this.following && !atEnd) this.setFollow(false);
    if (this.box.scrollTop < 40) this.older();
  }

  async older() {
    const first = Number(this.list.firstElementChild?.dataset.n ?? 1);
    if (first <= 1 || this.busy) return;
    this.busy = true;
    try {
      const from = Math.max(1, first - batch);
      const res = await fetch(`${this.url}?from=${from}&limit=${first - from}`);
      if (!res.ok) return;
      const before = this.box.scrollHeight;
      const part = document.createDocumentFragment();
      for (const l of (await res.json()).lines) part.append(row(l));
      this.list.prepend(part);
      this.box.scrollTop += this.box.scrollHeight - before;
      while (this.shown() > most) { this.list.lastElementChild.remove(); this.next = Number(this.list.lastElementChild.dataset.n) + 1; }
    } finally { this.busy = false; }
  }

  async setFollow(on) {
    this.following = on;
    if (on && this.total && this.next <= this.total) {
      this.list.replaceChildren();
      this.next = 0;
      await this.load(-500);
    }
    if (on) this.box.scrollTop = this.box.scrollHeight;
    this.say();
  }

  say() {
    const behind = (this.total ?? 0) - this.next + 1;
    if (this.count) this.count.textContent = `${(this.total ?? 0).toLocaleString('en')} line${this.total === 1 ? '' : 's'}`;
    if (this.follow) {
      this.follow.setAttribute('aria-pressed', String(this.following));
      this.follow.textContent = this.following ? 'Following' : behind > 0 ? `${behind} new lines` : 'Follow';
    }
  }

  search(words) { this.words = words.toLowerCase(); this.mark(); }

  mark() {
    for (const li of this.list.children) li.classList.toggle('is-hit', !!this.words && li.textContent.toLowerCase().includes(this.words));
    if (this.words) this.list.querySelector('.is-hit')?.scrollIntoView({ block: 'nearest' });
  }
}

const el_line = (el) => /^#L(\d+)$/.exec(location.hash)?.[1] ?? el.dataset.line ?? 0;

function row({ n, text }) {
  const li = document.createElement('li');
  li.id = 'L' + n;
  li.dataset.n = n;
  const a = document.createElement('a');
  a.href = '#L' + n;
  a.textContent = n;
  const p = document.createElement('p');
  paint(p, text);
  const plain = p.textContent;
  if (/\[ROUND \d+(\/\d+)?\]/.test(plain)) li.className = 'is-round';
  else if (/^(\S*ERROR|Traceback|\S*(Error|Exception)\b)/.test(plain.trim())) li.className = 'is-bad';
  li.append(a, p);
  return li;
}

// paint turns ANSI colours into classes; what else an app writes is text.
function paint(into, text) {
  let at = 0, cls = '';
  const add = (s) => {
    if (!s) return;
    const span = document.createElement('span');
    if (cls) span.className = cls;
    span.textContent = s;
    into.append(span);
  };
  for (const m of text.matchAll(ansi)) {
    add(text.slice(at, m.index));
    at = m.index + m[0].length;
    cls = m[1].split(';').filter((c) => /^(1|3[1-6]|9[1-6])$/.test(c)).map((c) => 'a' + c).join(' ');
  }
  add(text.slice(at));
}
