// The charts of a run: every metric over rounds. The aggregate in front of the participants' band and median; single participants
// when picked. They grow while the run goes on; what is looked at stays.
import { drawChart } from './chart/draw.js';
import { styleOf, digits } from './chart/style.js';
import { smooth, clip, positive } from './chart/change.js';
import { readView, writeView } from './chart/view.js';
import { Series, keyOf } from './chart/series.js';
import { asTable } from './chart/table.js';
import { asSVG, save, savePNG } from './chart/svg.js';
import { picker } from './chart/picker.js';

export function charts() {
  const el = document.querySelector('[data-charts]');
  if (el) new Charts(el);
}

class Charts {
  constructor(el) {
    this.el = el;
    this.grid = el.querySelector('[data-chart-grid]');
    this.view = readView();
    this.nodes = {}; // SuperNode id → "partition 3"
    this.series = new Map();
    this.places = new Map();
    this.after = null;
    el.addEventListener('click', (e) => this.press(e.target.closest('[data-chart-flag], [data-chart-hide]')));
    this.buttons();
    this.rounds = el.querySelector('[data-chart-rounds]');
    this.rounds.addEventListener('change', () => this.typed());
    el.querySelector('[data-chart-whole]').addEventListener('click', () => this.zoom(null));
    el.querySelector('[data-chart-more]').addEventListener('click', () => { this.view.more++; this.viewChanged(true); });
    this.picker = picker(el.querySelector('[data-chart-picker]'), this.view, () => this.viewChanged(true));
    addEventListener('popstate', () => { // Back, or a step within the page
      Object.assign(this.view, readView()); // the picker has it, too
      this.buttons();
      this.picker.ranks();
      this.load(true);
    });
    document.addEventListener('metric', () => this.load());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { for (const p of this.places.values()) { p.chart?.destroy(); p.chart = null; } this.redraw(); });
    this.load(true);
  }

  press(b) {
    if (!b) return;
    const { chartFlag: flag, chartHide: name } = b.dataset, { hide } = this.view;
    if (flag) this.view[flag] = !this.view[flag]; else if (!hide.delete(name)) hide.add(name);
    this.buttons();
    this.viewChanged();
  }

  // buttons says on each of them whether it is on.
  buttons() {
    for (const b of this.el.querySelectorAll('[data-chart-flag]')) b.setAttribute('aria-pressed', String(this.view[b.dataset.chartFlag]));
    for (const b of this.el.querySelectorAll('[data-chart-hide]')) b.setAttribute('aria-pressed', String(!this.view.hide.has(b.dataset.chartHide)));
  }

  viewChanged(reload) { writeView(this.view); reload ? this.load(true) : this.redraw(); }

  zoom(range) {
    this.view.zoom = range;
    this.viewChanged(this.size > 1 || this.windowed);
  }

  typed() {
    const [from, to] = [...this.rounds.querySelectorAll('input')].map((i) => Number(i.value));
    if (from >= 0 && to > from) this.zoom([from, to]);
  }

  // load asks for what has changed since the last answer; anew for all that the view shows.
  async load(anew) {
    this.anew ||= anew;
    if (this.busy) { this.again = true; return; }
    this.busy = true;
    try {
      do {
        this.again = false;
        const all = this.anew || this.after == null || this.view.rank !== '' || this.view.pick.length > 0;
        this.anew = false;
        const res = await fetch(`${this.el.dataset.charts}?${this.question(all)}`);
        if (!res.ok) { this.say(res.status === 404 ? 'This run is not there any more.' : 'The numbers could not be read; the next change tries again.'); return; }
        if (!this.take(await res.json(), all)) { this.again = this.anew = true; continue; }
        this.redraw();
      } while (this.again);
    } catch { /* the connection is away: the next event tries again */ } finally { this.busy = false; }
  }

  question(all) {
    const q = new URLSearchParams();
    if (!all) q.set('after', this.after);
    if (this.view.more) q.set('more', this.view.more);
    if (this.view.rank) q.set('rank', this.view.rank);
    else if (this.view.pick.length) q.set('nodes', this.ids().join(','));
    if (this.view.zoom && (this.size > 1 || this.windowed)) { q.set('from', this.view.zoom[0]); q.set('to', this.view.zoom[1]); }
    return q;
  }

  // ids are the SuperNodes of the picked partitions.
  ids() {
    const by = new Map(Object.entries(this.nodes).map(([id, label]) => [label.replace('partition ', ''), id]));
    return this.view.pick.map((p) => by.get(p) ?? p).filter((id) => /^\d{3,}$/.test(id));
  }

  // take puts an answer in; it reports false when points stand for more rounds now, so that all have to be asked for.
  take(feed, all) {
    const first = Object.keys(this.nodes).length === 0;
    Object.assign(this.nodes, feed.nodes ?? {});
    if (first && all && this.view.pick.length && !this.view.rank) { this.size = feed.size; return false; } // now their ids are known
    if (!all && feed.size !== this.size) return false;
    this.windowed = this.view.zoom != null && (this.windowed || feed.size > 1);
    Object.assign(this, { size: feed.size, after: feed.upto, first: feed.first, last: feed.last, feed });
    if (all) this.series.clear();
    for (const s of feed.series) {
      const key = keyOf(s);
      if (!this.series.has(key)) this.series.set(key, new Series(s));
      this.series.get(key).take(s, feed.size);
    }
    for (const key of this.series.keys()) if (!feed.charts.includes(key)) this.series.delete(key); // renamed
    this.picker.show(this.nodes);
    return true;
  }

  say(text) { const p = this.el.querySelector('[data-chart-empty]'); p.textContent = text; p.classList.toggle('b-gone', !text); }

  redraw() {
    this.say(this.series.size ? '' : this.feed?.ended ? 'This app reports no metrics.' : 'No metric yet. Charts grow as rounds finish.');
    this.notice();
    const more = this.el.querySelector('[data-chart-more]'), hidden = (this.feed?.metrics ?? 0) - 12 * (1 + this.view.more);
    more.classList.toggle('b-gone', hidden <= 0);
    if (hidden > 0) more.textContent = `Show ${Math.min(hidden, 12)} more of ${hidden} charts`;
    const [from, to] = this.view.zoom ?? [this.first, this.last];
    const inputs = [...this.rounds.querySelectorAll('input')];
    if (!inputs.includes(document.activeElement)) [inputs[0].value, inputs[1].value] = [from, to];
    this.el.querySelector('[data-chart-whole]').classList.toggle('b-gone', !this.view.zoom);
    for (const [key, place] of this.places) if (!this.series.has(key)) { place.chart?.destroy(); place.fig.remove(); this.places.delete(key); }
    [...this.series.keys()].forEach((key, i) => {
      const { fig } = this.place(key), there = this.grid.children[i] ?? null;
      if (there !== fig) this.grid.insertBefore(fig, there);
    });
    const looks = JSON.stringify([{ ...this.view, hide: [...this.view.hide] }, this.first, this.last, this.size, this.feed?.rounds, this.feed?.ended, this.nodes]);
    for (const [key, s] of this.series) {
      const place = this.places.get(key), now = s.version + looks;
      if (place.drawn === now && (place.chart || this.view.table)) continue; // nothing of it has changed
      this.draw(s, place);
      place.drawn = now;
    }
  }

  notice() {
    const p = this.el.querySelector('[data-chart-notice]'), n = this.feed?.dropped ?? 0;
    p.classList.toggle('b-gone', !n);
    p.lastElementChild.textContent = n ? `${n.toLocaleString('en')} metric${n === 1 ? ' was' : 's were'} dropped: a limit was reached. A run keeps ${this.feed.limit.toLocaleString('en')} metrics of ${this.el.dataset.names} names, ${Number(this.el.dataset.reply).toLocaleString('en')} of one reply.` : '';
  }

  place(key) {
    if (this.places.has(key)) return this.places.get(key);
    const fig = this.el.querySelector('template').content.cloneNode(true).firstElementChild;
    const place = { fig, plot: fig.querySelector('.b-plot'), chart: null };
    fig.querySelector('[data-save=svg]').addEventListener('click', () => save(place.file + '.svg', 'image/svg+xml', asSVG(place.title, place.note, place.spec)));
    fig.querySelector('[data-save=png]').addEventListener('click', () => savePNG(place.file + '.png', asSVG(place.title, place.note, place.spec)));
    this.places.set(key, place);
    return place;
  }

  people(s) {
    return [...s.people].map(([id, values]) => [this.nodes[id] ?? 'SuperNode ' + id.slice(0, 6), values]).sort((a, b) => a[0].localeCompare(b[0], 'en', { numeric: true }));
  }

  draw(s, place) {
    const points = s.sorted(), main = s.main(points), people = this.people(s);
    this.caption(s, place, points, main);
    if (this.view.table) {
      place.chart?.destroy();
      place.chart = null;
      place.plot.replaceChildren(asTable(s, points.filter((p) => s.list || !this.view.zoom || (p.round >= this.view.zoom[0] && p.round <= this.view.zoom[1])), main, people));
      place.plot.classList.add('is-table');
      place.plot.tabIndex = 0;
      return;
    }
    place.plot.classList.remove('is-table');
    place.plot.removeAttribute('tabindex');
    const spec = this.spec(s, points, main, people, place);
    if (place.chart) place.chart.update(spec); else place.chart = drawChart(place.plot, spec);
    place.plot.setAttribute('role', 'img');
    place.plot.setAttribute('aria-label', `${place.title}: ${place.now}, ${points.length} points from ${s.list ? 'element' : 'round'} ${points[0]?.round ?? 0} to ${points.at(-1)?.round ?? 0}. The table has the numbers.`);
  }

  fileOf(s) { return `${this.el.dataset.run}-${s.phase}-${s.name}${s.list ? `-round-${s.round}` : ''}`.replace(/[^\w.-]+/g, '_'); }

  // listCaption says how many elements a list has, and which of them is lowest and highest.
  listCaption(s, place, points, main) {
    const [title, now, more] = place.fig.querySelector('figcaption').children, key = main?.key ?? 'median';
    const known = points.filter((p) => typeof p[key] === 'number').sort((a, b) => a[key] - b[key]), parts = [];
    place.title = s.title();
    place.file = this.fileOf(s);
    place.now = `${points.length} value${points.length === 1 ? '' : 's'}`;
    title.textContent = place.title;
    now.textContent = place.now;
    if (!main) parts.push('median');
    if (main?.key === 'weighted') parts.push('mean weighted by num-examples, worked out here');
    if (known.length) parts.push(`lowest ${digits(known[0][key])} at ${known[0].round}`, `highest ${digits(known.at(-1)[key])} at ${known.at(-1).round}`);
    const odd = points.reduce((n, p) => n + (p.odd ?? 0), 0);
    if (odd) parts.push(`${odd} NaN or infinite`);
    more.textContent = parts.join(' · ');
  }

  caption(s, place, points, main) {
    const [title, now, more] = place.fig.querySelector('figcaption').children, last = points.at(-1) ?? {}, before = points.at(-2);
    if (s.list) { this.listCaption(s, place, points, main); return; }
    const value = main ? last[main.key] : last.median;
    place.title = s.title();
    place.file = this.fileOf(s);
    place.now = digits(value);
    title.textContent = place.title;
    now.textContent = place.now;
    const parts = [];
    if (!main && last.median != null) parts.push('median');
    if (main?.key === 'weighted') parts.push('mean weighted by num-examples, worked out here');
    const old = before && (main ? before[main.key] : before.median);
    if (typeof value === 'number' && typeof old === 'number') parts.push(`${value >= old ? '+' : ''}${digits(value - old)} on round ${before.round}`);
    if (last.low != null && last.nodes > 0) parts.push(`participants ${digits(last.low)} to ${digits(last.high)}`);
    if (last.odd > 0) parts.push(`${last.odd} NaN or infinite`);
    more.textContent = parts.join(' · ');
  }

  spec(s, points, main, people, place) {
    const { view } = this, notes = [];
    const x = points.map((p) => p.round);
    const number = (v) => (typeof v === 'number' ? v : null);
    const lines = [];
    const drawable = (label, ...lists) => { // what the scale can show, and a word on what it cannot
      if (!view.log) return lists;
      const parts = lists.map(positive), gone = parts.reduce((n, [, g]) => n + g, 0);
      if (gone) notes.push(`${label}: ${gone} not above 0, not on a log scale`);
      return parts.map(([values]) => values);
    };
    const add = (line) => {
      [line.values] = drawable(line.label, line.values);
      if (view.smooth && !line.plain && !s.list) lines.push({ ...line, key: line.key + ' raw', faint: true }, { ...line, values: smooth(line.values), smoothed: true });
      else lines.push(line);
    };
    const spread = points.some((p) => p.nodes > 1);
    if ((spread || !main) && !view.hide.has('median')) add({ key: 'median', label: 'median', values: points.map((p) => number(p.median)), tone: 's1', width: 1.25, dash: [3, 3], marker: main ? undefined : 'circle', plain: true });
    if (s.list && s.before.length) add({ key: 'before', label: `round ${s.first}`, values: s.before.map(number), tone: 'muted', width: 1.25, dash: [2, 3], plain: true });
    for (const [label, values] of people) add({ key: label, label, values: x.map((r) => number(values.get(r))), ...styleOf(label.replace('partition ', '')) });
    if (main && !view.hide.has('aggregate')) add({ key: 'main', label: main.label, values: points.map((p) => number(p[main.key])), tone: 's1', width: 2, marker: 'circle' });
    let band = null;
    if (spread && !view.hide.has('band')) {
      const [low, high] = drawable('min to max', points.map((p) => number(p.low)), points.map((p) => number(p.high)));
      band = { tone: 's1', low, high };
    }
    const cut = view.clip && clip([...lines.filter((l) => !l.smoothed).map((l) => l.values), ...(band ? [band.low, band.high] : [])]);
    if (cut) notes.push(`${cut.outside} point${cut.outside === 1 ? '' : 's'} outside`);
    if (view.smooth && !s.list) notes.push('smoothed (moving average 0.6); the raw values are faint');
    if (this.size > 1 && !s.list) notes.push(`a point is the last of ${this.size} rounds; the band spans all of them`);
    const odd = points.filter((p) => main && typeof p[main.key] === 'string').length;
    if (odd) notes.push(`${odd} NaN or infinite, not drawn`);
    place.fig.querySelector('[data-chart-legend]').replaceChildren(...(s.list && s.before.length ? [legend(`round ${s.first}`, { tone: 'muted', dash: [2, 3] })] : []), ...people.map(([label]) => legend(label)));
    place.note = notes.join(' · ');
    place.fig.querySelector('[data-chart-note]').textContent = place.note;
    const planned = this.feed.rounds, live = !this.feed.ended && planned > this.last;
    if (s.list) {
      place.spec = { x, lines, band, log: view.log, limits: cut?.limits, range: [x[0] ?? 0, x.at(-1) ?? 0] };
      return place.spec;
    }
    place.spec = { x, lines, band, log: view.log, limits: cut?.limits, sync: 'run', zoom: (r) => this.zoom(r), range: view.zoom ?? [Math.min(this.first, x[0] ?? 0), live ? planned : this.last], ahead: live ? this.last : null };
    return place.spec;
  }
}

// legend is how a line looks, beside its name.
function legend(label, look = styleOf(label.replace('partition ', ''))) {
  const { tone, dash } = look, span = document.createElement('span');
  span.innerHTML = '<svg viewBox="0 0 28 10" aria-hidden="true"><path d="M0 5h28" stroke-width="1.5" fill="none"></path></svg>';
  span.querySelector('path').setAttribute('stroke', `var(--${tone})`);
  span.querySelector('path').setAttribute('stroke-dasharray', dash.join(' '));
  span.append(label);
  return span;
}
