// Finding in a log: the server searches all of it; hits are listed with the lines around, and gone through one by one. Also the
// jumps to a round and to a time, and the level.
import { row, gap } from './logrow.js';

const patience = 350; // after the last key

export class Finder {
  constructor(viewer, form) {
    this.v = viewer;
    this.form = form;
    this.f = form.elements;
    this.note = viewer.el.querySelector('[data-log-note]');
    this.hitbar = form.querySelector('[data-log-hits]');
    this.clear();
    form.addEventListener('submit', (e) => { e.preventDefault(); this.asked === this.key() ? this.step(1) : this.search(); });
    this.f.q.addEventListener('input', () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.search(), patience); });
    this.f.q.addEventListener('keydown', (e) => {
      if (e.key === 'Escape') { this.f.q.value = ''; this.search(); }
      if (e.key === 'Enter' && e.shiftKey) { e.preventDefault(); this.step(-1); }
    });
    this.f.pattern.addEventListener('change', () => this.search());
    this.f.level.addEventListener('change', () => { this.v.setLevel(this.f.level.value); if (this.f.q.value) this.search(); });
    this.f.round.addEventListener('change', () => { if (this.f.round.value) this.v.do(() => this.v.around(Number(this.f.round.value))); });
    this.f.time.addEventListener('change', () => this.toTime(this.f.time.value));
    for (const b of form.querySelectorAll('[data-log-step]')) b.addEventListener('click', () => this.step(Number(b.dataset.logStep)));
    form.querySelector('[data-log-all]').addEventListener('click', () => this.showAll());
  }

  key() { return [this.f.q.value, this.f.pattern.checked, this.f.level.value].join('\n'); }

  clear() {
    this.stop?.abort();
    this.numbers = [];
    this.list = [];
    this.count = 0;
    this.place = -1;
    this.hitbar.hidden = true;
    this.say('');
  }

  say(text) { this.note.textContent = text; this.note.hidden = !text; }

  async search() {
    clearTimeout(this.timer);
    if (this.asked === this.key()) return;
    this.asked = this.key();
    this.clear();
    if (!this.f.q.value) { if (this.v.hits) this.v.follow(true); return; }
    const stop = this.stop = new AbortController();
    const params = { q: this.f.q.value, level: this.f.level.value };
    if (this.f.pattern.checked) params.pattern = '1';
    this.say('Searching …');
    try {
      const res = await fetch(`${this.v.base}/search?${new URLSearchParams(params)}`, { signal: stop.signal });
      let rest = '';
      for await (const chunk of res.body.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + chunk).split('\n');
        rest = parts.pop();
        for (const p of parts) if (p) this.take(JSON.parse(p));
      }
    } catch (e) {
      if (e.name !== 'AbortError') { this.asked = null; this.say('The server was not reached. Press Enter to try again.'); }
    }
  }

  take(found) {
    if (found.problem) { this.say(found.problem); return; }
    this.numbers.push(...(found.numbers ?? []));
    this.list.push(...(found.hits ?? []));
    this.count = found.count;
    this.hitbar.hidden = this.count === 0;
    this.where();
    if (found.hits?.length) this.showAll();
    const n = (k) => k.toLocaleString('en');
    if (!found.done) this.say(`Searched ${n(found.lines)} of ${n(found.total)} lines …`);
    else if (this.count === 0) this.say(`No line of ${n(found.lines)} has it.`);
    else this.say([this.count === 1 ? 'One hit' : `${n(this.count)} hits`, `in ${n(found.lines)} lines`,
      found.cut ? `; the search took too long, the other ${n(found.total - found.lines)} lines are not searched` : '',
      this.count > this.list.length ? `; the first ${n(this.list.length)} are listed, the arrows go through ${this.count > this.numbers.length ? 'the first ' + n(this.numbers.length) : 'all'}` : '', '.'].filter(Boolean).join(' ').replace(/ ([;.])/g, '$1'));
  }

  where() {
    this.form.querySelector('[data-log-place]').textContent = this.place < 0 ? `${this.count.toLocaleString('en')} hits` : `${(this.place + 1).toLocaleString('en')} of ${this.count.toLocaleString('en')}`;
  }

  // showAll lists the hits with the lines around them; those that overlap are one piece.
  showAll() {
    const hits = new Set(this.numbers), rows = [];
    let last = 0;
    for (const h of this.list) for (const l of h.lines) {
      if (l.n <= last) continue;
      if (last && l.n > last + 1) rows.push(gap());
      const li = row(l);
      li.classList.toggle('is-hit', hits.has(l.n));
      rows.push(li);
      last = l.n;
    }
    if (rows.length === 0) return;
    this.v.do(() => {
      this.v.hits = true;
      this.v.following = false;
      this.v.timeless(this.list.flatMap((h) => h.lines));
      this.v.list.replaceChildren(...rows);
      this.v.box.scrollTop = 0;
      this.v.say();
    });
  }

  // step goes to another hit, in the whole log.
  step(by) {
    if (this.numbers.length === 0) return;
    this.place = (this.place + by + this.numbers.length) % this.numbers.length;
    if (this.place < 0) this.place = 0;
    this.where();
    this.v.do(async () => {
      await this.v.around(this.numbers[this.place]);
      this.mark(this.v.list.children);
    });
  }

  // found marks the hits among lines that have come into the window.
  found(lines) {
    if (this.numbers.length === 0 || lines.length === 0) return;
    this.mark(lines.map((l) => document.getElementById('L' + l.n)));
  }

  mark(rows) {
    const hits = new Set(this.numbers);
    for (const li of rows) li?.classList.toggle('is-hit', hits.has(Number(li.dataset.n)));
  }

  // marks fills the rounds that can be jumped to.
  async marks() {
    const fill = async () => {
      const { rounds } = await this.v.ask('marks', {});
      const has = this.f.round.options.length - 1;
      for (const r of rounds.slice(has)) this.f.round.add(new Option('Round ' + r.round, r.line));
      this.f.round.hidden = rounds.length === 0;
    };
    await fill();
    this.f.round.addEventListener('focus', () => { fill().catch(() => {}); });
    document.addEventListener('log', () => { if (this.f.round.hidden) { clearTimeout(this.again); this.again = setTimeout(() => fill().catch(() => {}), 500); } });
  }

  // toTime jumps to a time of the day of the log's last line, or of the day before.
  toTime(text) {
    const m = /^(\d\d):(\d\d)(?::(\d\d))?/.exec(text);
    if (!m) return;
    this.v.do(async () => {
      const { lines } = await this.v.ask('page', { from: -1, limit: 1 });
      const end = lines[0]?.at;
      if (!end) { this.say('The lines of this log have no times.'); return; }
      const d = new Date(end);
      d.setHours(Number(m[1]), Number(m[2]), Number(m[3] ?? 0), 0);
      if (d.getTime() > end) d.setDate(d.getDate() - 1);
      const { line, found } = await this.v.ask('at', { ms: d.getTime() });
      this.say(found ? '' : `Nothing was written after ${text}.`);
      if (found) await this.v.around(line);
    });
  }

  // rate tells how fast lines come while they come in a flood.
  rate(perSecond) {
    const el = this.v.el.querySelector('[data-log-rate]');
    clearTimeout(this.calm);
    el.textContent = perSecond ? `${perSecond.toLocaleString('en')} lines/s` : '';
    if (perSecond) this.calm = setTimeout(() => { el.textContent = ''; }, 1500);
  }
}
