// The log viewer: a window of at most 2,000 lines over a log that the server pages. It follows only at the end.
import { row } from './logrow.js';
import { Finder } from './logfind.js';

const most = 2000, batch = 1000, opening = 500;

export function logViewers() {
  for (const el of document.querySelectorAll('[data-log]')) new Viewer(el);
}

class Viewer {
  constructor(el) {
    this.el = el;
    this.base = el.dataset.log;
    this.box = el.querySelector('.b-log');
    this.list = this.box.querySelector('ol');
    this.chip = el.querySelector('[data-log-follow]');
    this.level = '';
    this.total = 0;  // lines of the log, as last heard
    this.next = 1;   // the line after the last one that the window covers
    this.top = 1;    // the line before which nothing of it is shown
    this.gen = null; // which file it is; another one after a rotation
    this.following = true;
    this.hits = false; // the list shows hits, not a window
    this.work = Promise.resolve();
    this.finder = new Finder(this, el.querySelector('[data-log-find]'));
    this.box.addEventListener('scroll', () => this.scrolled(), { passive: true });
    this.chip.addEventListener('click', () => this.follow(!this.following));
    document.addEventListener('keydown', (e) => this.key(e));
    document.addEventListener('log', (e) => this.heard(e.detail?.data ? JSON.parse(e.detail.data) : {}));
    window.addEventListener('hashchange', () => this.toHash());
    this.do(() => this.open());
    if (el.dataset.poll !== undefined) setInterval(() => document.hidden || this.soon(), 1000);
  }

  // do runs one thing after another: what changes the window never meets another change of it. A connection that is away ends it;
  // the next event tries again.
  do(thing) {
    this.work = this.work.then(thing).catch(() => {});
    return this.work;
  }

  async ask(kind, params) {
    const res = await fetch(`${this.base}/${kind}?${new URLSearchParams(params)}`);
    if (!res.ok) throw new Error(res.statusText);
    return res.json();
  }

  async page(params) {
    const p = await this.ask('page', this.level ? { ...params, level: this.level } : params);
    if (this.gen !== null && p.gen !== this.gen) this.empty(); // it begins anew
    this.gen = p.gen;
    this.total = p.total;
    return p;
  }

  async open() {
    const line = Number(hashLine() ?? this.el.dataset.line ?? 0);
    if (line) await this.around(line); else await this.end();
    this.finder.marks();
  }

  empty() {
    this.list.replaceChildren();
    this.next = this.top = 1;
  }

  // end shows the last lines.
  async end() {
    const p = await this.page({ from: -opening });
    this.replace(p.lines, p.next, p.total + 1);
  }

  // around shows a line with what stands around it.
  async around(line) {
    const p = await this.page({ from: Math.max(1, line - 200), limit: opening });
    this.following = false;
    this.replace(p.lines, Math.max(1, line - 200), p.next);
    const li = [...this.list.children].find((c) => Number(c.dataset.n) >= line);
    for (const c of this.list.querySelectorAll('.is-at')) c.classList.remove('is-at');
    if (li) { li.classList.add('is-at'); this.box.scrollTop = li.offsetTop - this.box.offsetTop - 80; }
    this.say();
  }

  replace(lines, top, next) {
    this.hits = false;
    this.list.replaceChildren(...lines.map(row));
    this.top = top;
    this.next = next;
    this.timeless(lines);
    if (this.following) this.toEnd();
    this.say();
  }

  timeless(lines) { if (lines.length) this.box.classList.toggle('is-timeless', !lines.some((l) => l.at)); }

  append(lines) {
    if (lines.length === 0) return;
    this.list.append(...lines.map(row));
    this.timeless(lines);
    if (this.following) {
      while (this.list.childElementCount > most) this.list.firstElementChild.remove();
      this.top = Number(this.list.firstElementChild.dataset.n);
      this.toEnd();
    }
    this.finder.found(lines);
  }

  toEnd() { this.box.scrollTop = this.box.scrollHeight; }

  // heard takes news: lines as they come are shown at once where they continue the window; else it is looked for them.
  heard({ total = 0, lines, rate }) {
    this.finder.rate(rate);
    this.do(() => {
      this.total = Math.max(this.total, total);
      if (lines?.length && this.following && !this.hits && !this.level && this.gen !== null) {
        if (lines[0].n <= this.next) {
          this.append(lines.filter((l) => l.n >= this.next));
          this.next = Math.max(this.next, total + 1);
        } else if (lines[0].n - this.next > batch) {
          this.replace(lines, lines[0].n, total + 1);
        }
      }
      this.say();
      if (this.following && !this.hits && this.next <= this.total) this.soon();
    });
  }

  // soon looks for new lines, once however often it is called meanwhile.
  soon() {
    if (this.due) return;
    this.due = true;
    this.do(async () => {
      this.due = false;
      if (this.hits) return;
      if (this.following) await this.newer();
      else this.total = (await this.ask('page', { from: -1, limit: 1 })).total;
      this.say();
    });
  }

  // newer appends what follows the window; after a flood only the end.
  async newer() {
    for (;;) {
      const gen = this.gen;
      const p = await this.page({ from: this.next, limit: batch });
      if (p.gen !== gen || (this.following && p.total - p.next > 2 * batch)) return this.end();
      this.append(p.lines.filter((l) => l.n >= this.next));
      this.next = Math.max(this.next, p.next);
      if (this.next > p.total || !this.following) return;
    }
  }

  async older() {
    if (this.top <= 1) return;
    const p = await this.page({ before: this.top, limit: batch });
    const height = this.box.scrollHeight;
    this.list.prepend(...p.lines.map(row));
    this.box.scrollTop += this.box.scrollHeight - height;
    this.top = p.next;
    while (this.list.childElementCount > most) {
      this.list.lastElementChild.remove();
      this.next = Number(this.list.lastElementChild.dataset.n) + 1;
    }
    this.finder.found(p.lines);
    this.say();
  }

  // further goes on downwards in a window that does not reach the end.
  async further() {
    if (this.next > this.total) return;
    const p = await this.page({ from: this.next, limit: batch });
    this.append(p.lines.filter((l) => l.n >= this.next));
    this.next = Math.max(this.next, p.next);
    while (this.list.childElementCount > most) {
      const first = this.list.firstElementChild, height = first.offsetHeight;
      first.remove();
      this.box.scrollTop -= height;
    }
    this.top = Number(this.list.firstElementChild?.dataset.n ?? 1);
    this.say();
  }

  scrolled() {
    if (this.hits || this.busy) return;
    const below = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight;
    if (this.following && below > 40) { this.following = false; this.say(); }
    const go = this.box.scrollTop < 40 && this.top > 1 ? () => this.older() : below < 40 && !this.following ? () => this.arrive() : null;
    if (!go) return;
    this.busy = true;
    this.do(go).finally(() => { this.busy = false; });
  }

  // arrive follows again at the end, and goes on where the end is not reached.
  async arrive() {
    if (this.next <= this.total) return this.further();
    this.following = true;
    this.say();
  }

  follow(on) {
    return this.do(async () => {
      this.following = on;
      if (on && (this.hits || this.next <= this.total)) await this.end();
      if (on) this.toEnd();
      this.say();
    });
  }

  setLevel(level) {
    this.level = level;
    return this.do(() => { this.following = true; return this.end(); });
  }

  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
    if (e.key === 'f') this.follow(!this.following);
    else if (e.key === 'n' || e.key === 'N') this.finder.step(e.key === 'n' ? 1 : -1);
  }

  toHash() {
    const line = Number(hashLine() ?? 0);
    if (line && !document.getElementById('L' + line)) this.do(() => this.around(line));
    else if (line) this.following = false;
  }

  say() {
    const behind = this.total - this.next + 1;
    this.el.querySelector('[data-log-count]').textContent = `${this.total.toLocaleString('en')} line${this.total === 1 ? '' : 's'}`;
    this.chip.setAttribute('aria-pressed', String(this.following));
    this.chip.textContent = this.following ? 'Following' : behind > 0 ? `${behind.toLocaleString('en')} new line${behind === 1 ? '' : 's'}` : 'Follow';
  }
}

const hashLine = () => /^#L(\d+)$/.exec(location.hash)?.[1];
