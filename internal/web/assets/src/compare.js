// Overlaid charts of the compared runs: a run keeps its colour and dash in every chart. What is hidden, the x axis and the scale
// are in the page's address. They grow while a run goes on.
import { drawChart } from './chart/draw.js';
import { digits, markers } from './chart/style.js';
import { keyOf } from './chart/series.js';
import { positive } from './chart/change.js';

const dashes = [[], [6, 4], [2, 3], [9, 4, 2, 4], [4, 2], [1, 4], [12, 4], [6, 2, 2, 2]]; // as in compare.templ

export function compareCharts() {
  document.addEventListener('click', copyAddress);
  const el = document.querySelector('[data-compare-charts]');
  if (el) new CompareCharts(el);
}

async function copyAddress(e) {
  const button = e.target.closest('[data-copy-address]');
  if (!button) return;
  const words = button.querySelector('span'), before = words.textContent;
  try { await navigator.clipboard.writeText(location.href); words.textContent = 'Copied'; } catch { words.textContent = 'Copy it from the address bar'; }
  setTimeout(() => { words.textContent = before; }, 2500);
}

class CompareCharts {
  constructor(el) {
    this.el = el;
    this.grid = el.querySelector('[data-chart-grid]');
    this.plots = new Map();
    const address = new URL(location).searchParams;
    this.hidden = new Set((address.get('hide') ?? '').split(',').filter(Boolean));
    this.x = address.get('x') === 'seconds' ? 'seconds' : 'round';
    this.log = address.has('log');
    this.table = address.has('table');
    el.addEventListener('click', (e) => this.press(e.target.closest('button')));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { for (const p of this.plots.values()) { p.chart?.destroy(); p.chart = null; } this.redraw(); });
    document.addEventListener('metric', () => this.load());
    this.load();
  }

  press(button) {
    if (!button) return;
    const { run, x } = button.dataset;
    if (run) { if (!this.hidden.delete(run)) this.hidden.add(run); } else if (x) this.x = x; else if ('scale' in button.dataset) this.log = !this.log; else if ('asTable' in button.dataset) this.table = !this.table; else return;
    const url = new URL(location);
    const put = (key, value) => (value ? url.searchParams.set(key, value) : url.searchParams.delete(key));
    put('hide', [...this.hidden].join(','));
    put('x', this.x === 'seconds' && 'seconds');
    put('log', this.log && '1');
    put('table', this.table && '1');
    history.replaceState(history.state, '', url);
    this.redraw();
  }

  async load() {
    if (this.busy) { this.again = true; return; }
    this.busy = true;
    try {
      do {
        this.again = false;
        const res = await fetch(this.el.dataset.compareCharts);
        if (!res.ok) return;
        this.data = await res.json();
        this.redraw();
      } while (this.again);
    } catch { /* the connection is away: the next event tries again */ } finally { this.busy = false; }
  }

  redraw() {
    for (const b of this.el.querySelectorAll('[data-run]')) b.setAttribute('aria-pressed', String(!this.hidden.has(b.dataset.run)));
    for (const b of this.el.querySelectorAll('[data-x]')) b.setAttribute('aria-pressed', String(this.x === b.dataset.x));
    this.el.querySelector('[data-scale]').setAttribute('aria-pressed', String(this.log));
    this.el.querySelector('[data-as-table]').setAttribute('aria-pressed', String(this.table));
    if (!this.data) return;
    this.el.querySelector('[data-chart-empty]').classList.toggle('b-gone', this.data.series.length > 0);
    for (const s of this.data.series) {
      const key = keyOf(s);
      if (!this.plots.has(key)) this.plots.set(key, this.figure());
      this.grid.append(this.plots.get(key).fig);
    }
    for (const s of this.data.series) this.draw(s, this.plots.get(keyOf(s)));
  }

  figure() {
    const fig = document.createElement('figure');
    fig.className = 'b-chart';
    fig.innerHTML = '<figcaption><span class="b-muted"></span><b></b><small></small></figcaption><div class="b-plot"></div><small data-chart-note></small>';
    return { fig, plot: fig.querySelector('.b-plot'), note: fig.querySelector('[data-chart-note]'), chart: null };
  }

  draw(s, place) {
    const axis = s.list ? 'round' : this.x; // the "rounds" of a list are its elements
    const shown = this.data.runs.filter((r) => s.runs[r] && !this.hidden.has(r));
    const xs = [...new Set(shown.flatMap((r) => s.runs[r].map((p) => p[axis])))].sort((a, b) => a - b);
    const [title, now, more] = place.fig.querySelector('figcaption').children;
    title.textContent = `${s.name}${s.list ? ' by element' : ''} · ${s.phase === 'server' ? 'on the server' : s.phase}${s.mean ? ', mean of participants' : ''}`;
    this.say(s, shown, now, more);
    place.plot.classList.toggle('is-table', this.table);
    place.note.textContent = '';
    if (this.table || !shown.length) {
      place.chart?.destroy();
      place.chart = null;
      place.plot.replaceChildren(...(this.table ? [this.asTable(s, shown, xs)] : []));
      place.plot.removeAttribute('role');
      return;
    }
    const at = new Map(xs.map((x, i) => [x, i])), notes = [];
    const lines = shown.map((r) => {
      const i = this.data.runs.indexOf(r), values = new Array(xs.length).fill(null);
      for (const p of s.runs[r]) values[at.get(p[axis])] = p.value ?? null;
      const [above, gone] = this.log ? positive(values) : [values, 0], odd = s.runs[r].filter((p) => p.value == null).length;
      if (gone) notes.push(`${r}: ${gone} not above 0, not on a log scale`);
      if (odd) notes.push(`${r}: ${odd} NaN or infinite, not drawn`);
      return { key: r, label: r, values: above, tone: 's' + (i % 6 + 1), width: 2, dash: dashes[i], marker: markers[i % markers.length] };
    });
    place.note.textContent = notes.join(' · ');
    const spec = { x: xs, lines, log: this.log, sync: s.list ? undefined : 'compare' };
    if (place.chart) place.chart.update(spec); else { place.plot.replaceChildren(); place.chart = drawChart(place.plot, spec); }
    place.plot.setAttribute('role', 'img');
    place.plot.setAttribute('aria-label', `${title.textContent}: ${now.textContent} ${more.textContent}`);
  }

  // say tells in words what the newest shown run is ahead of the baseline, at the newest round that both have.
  say(s, shown, now, more) {
    now.textContent = more.textContent = '';
    if (s.list) { more.textContent = shown.map((r) => `${r}: round ${s.at[r]}`).join(' · '); return; }
    const base = this.data.base, other = shown.filter((r) => r !== base).at(-1);
    if (!other || !shown.includes(base)) return;
    const of = (r) => new Map(s.runs[r].map((p) => [p.round, p.value]));
    const a = of(base), b = of(other), round = Math.max(...[...b.keys()].filter((n) => typeof a.get(n) === 'number' && typeof b.get(n) === 'number'));
    if (!Number.isFinite(round)) return;
    const d = b.get(round) - a.get(round);
    now.textContent = (d > 0 ? '+' : d < 0 ? '−' : '±') + digits(Math.abs(d));
    more.textContent = `${other} on ${base}, round ${round}`;
  }

  asTable(s, shown, xs) {
    const axis = s.list ? 'round' : this.x;
    const table = document.createElement('table');
    table.className = 'b-table is-kv';
    const head = table.createTHead().insertRow();
    for (const h of [s.list ? 'element' : axis, ...shown]) { const th = document.createElement('th'); th.textContent = h; head.append(th); }
    const body = table.createTBody();
    for (const x of xs) {
      const tr = body.insertRow();
      tr.insertCell().textContent = axis === 'round' ? x : x.toFixed(1) + ' s';
      for (const r of shown) { const p = s.runs[r].find((q) => q[axis] === x); tr.insertCell().textContent = p ? digits(p.value ?? p.text) : '–'; }
    }
    return table;
  }
}
