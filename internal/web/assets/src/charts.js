// Charts: x is the round; the aggregate or the ServerApp's own value in front, participants thin behind it. They grow while the
// run goes on, and what is drawn can be read as a table.
import uPlot from 'uplot';

const dashes = [[], [6, 4], [2, 3], [9, 4, 2, 4], [4, 2], [1, 4]];
const probe = document.createElement('i');
const colour = (name) => {
  if (!probe.isConnected) { probe.className = 'b-gone'; document.body.append(probe); }
  probe.style.setProperty('color', `var(--${name})`);
  return getComputedStyle(probe).color;
};
const digits = (v) => (v == null ? '–' : typeof v === 'string' ? v : Number(v).toPrecision(4));

export function charts() {
  const el = document.querySelector('[data-charts]');
  if (el) new Charts(el);
}

class Charts {
  constructor(el) {
    this.el = el;
    this.grid = el.querySelector('[data-chart-grid]');
    this.nodes = JSON.parse(el.dataset.nodes || '{}'); // node id → "partition 3"
    this.after = 0;
    this.metrics = new Map(); // "phase name" → {phase, name, series: Map(node → Map(round → value))}
    this.plots = new Map();
    this.participants = true;
    this.log = false;
    document.addEventListener('metric', () => this.load());
    el.querySelector('[data-chart-participants]')?.addEventListener('click', (e) => { this.participants = this.press(e.currentTarget); this.redraw(); });
    el.querySelector('[data-chart-log]')?.addEventListener('click', (e) => { this.log = this.press(e.currentTarget); this.redraw(); });
    el.querySelector('[data-chart-table]')?.addEventListener('click', (e) => { this.table = this.press(e.currentTarget); this.redraw(); });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.redraw());
    this.load();
  }

  press(button) {
    const on = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(on));
    return on;
  }

  async load() {
    if (this.busy) { this.again = true; return; }
    this.busy = true;
    try {
      do {
        this.again = false;
        const res = await fetch(`${this.el.dataset.charts}?after=${this.after}`);
        if (!res.ok) return;
        const body = await res.json();
        Object.assign(this.nodes, body.nodes);
        for (const m of body.metrics) this.add(m);
        if (body.metrics.length) this.redraw();
      } while (this.again);
    } catch { /* the connection is away: the next event tries again */ } finally { this.busy = false; }
  }

  add(m) {
    this.after = m.id;
    if (m.name === 'num-examples') return;
    const key = m.phase + ' ' + m.name;
    if (!this.metrics.has(key)) this.metrics.set(key, { phase: m.phase, name: m.name, series: new Map() });
    const { series } = this.metrics.get(key);
    if (!series.has(m.node)) series.set(m.node, new Map());
    series.get(m.node).set(m.round, m.value ?? m.text);
  }

  redraw() {
    this.el.querySelector('[data-chart-empty]')?.classList.toggle('b-gone', this.metrics.size > 0);
    const order = ['server', 'evaluate', 'train', 'other'];
    const keys = [...this.metrics.keys()].sort((a, b) => {
      const x = this.metrics.get(a), y = this.metrics.get(b);
      return order.indexOf(x.phase) - order.indexOf(y.phase) || a.localeCompare(b);
    });
    for (const key of keys) {
      if (!this.plots.has(key)) {
        const fig = document.createElement('figure');
        fig.className = 'b-chart';
        fig.innerHTML = '<figcaption><span class="b-muted"></span><b></b><small></small></figcaption><div class="b-plot"></div>';
        const place = { fig, plot: fig.querySelector('.b-plot'), chart: null };
        new ResizeObserver(() => {
          const { clientWidth: width, clientHeight: height } = place.plot;
          if (place.chart && width > 0 && (width !== place.chart.width || height !== place.chart.height)) place.chart.setSize({ width, height });
        }).observe(place.plot);
        this.plots.set(key, place);
      }
      this.grid.append(this.plots.get(key).fig);
    }
    // All figures have their place before the first is drawn, so that each measures its final width.
    for (const key of keys) this.draw(this.metrics.get(key), this.plots.get(key));
  }

  draw(metric, place) {
    const { fig, plot } = place;
    const whole = metric.series.get('0');
    const people = [...metric.series.entries()].filter(([n]) => n !== '0').sort((a, b) => this.label(a[0]).localeCompare(this.label(b[0]), 'en', { numeric: true }));
    const rounds = [...new Set([...metric.series.values()].flatMap((s) => [...s.keys()]))].sort((a, b) => a - b);
    const [title, now, more] = fig.querySelector('figcaption').children;
    const last = whole && [...whole.keys()].sort((a, b) => a - b).at(-1);
    title.textContent = `${metric.name} · ${metric.phase === 'server' ? 'on the server' : metric.phase}`;
    now.textContent = whole ? digits(whole.get(last)) : '';
    const newest = people.map(([, s]) => s.get(rounds.at(-1))).filter((v) => typeof v === 'number');
    more.textContent = newest.length ? `round ${rounds.at(-1)} · participants ${digits(Math.min(...newest))} to ${digits(Math.max(...newest))}` : last !== undefined ? `round ${last}` : '';
    if (this.table) { place.chart?.destroy(); place.chart = null; plot.replaceChildren(this.asTable(rounds, whole, people)); plot.classList.add('is-table'); return; }
    const series = [], data = [rounds];
    const put = (map, label, width, dash, tone) => {
      data.push(rounds.map((r) => { const v = map.get(r); return typeof v === 'number' ? v : null; }));
      series.push({ label, width, dash, stroke: () => colour(tone), spanGaps: true, points: { show: rounds.length < 60, size: width > 1.5 ? 7 : 5, fill: () => colour(tone) } });
    };
    if (this.participants) people.forEach(([n, s], i) => put(s, this.label(n), 1.25, dashes[(i + 1) % dashes.length], 's' + (2 + (i % 5))));
    if (whole) put(whole, metric.phase === 'server' ? 'server' : 'aggregate', 2, [], 's1');
    place.chart?.destroy();
    place.chart = null;
    plot.replaceChildren();
    plot.classList.remove('is-table');
    if (!series.length) return;
    const axis = { stroke: () => colour('muted'), font: '12px ' + getComputedStyle(document.body).fontFamily, ticks: { show: false }, grid: { stroke: () => colour('rule'), width: 1 } };
    place.chart = new uPlot({
      width: plot.clientWidth || 400, height: plot.clientHeight || 216, series: [{ label: 'round' }, ...series], legend: { show: false }, padding: [8, 12, 0, 0],
      cursor: { sync: { key: 'run' }, y: false }, scales: { x: { time: false, range: (_u, lo, hi) => (lo === hi ? [lo - 0.5, hi + 0.5] : [lo, hi]) }, y: { distr: this.log ? 3 : 1 } },
      axes: [{ ...axis, grid: { show: false }, size: 28, gap: 6, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000], values: (_u, v) => v.map((n) => (n % 1 ? '' : n)) }, { ...axis, size: 52, gap: 6 }],
    }, data, plot);
    plot.setAttribute('role', 'img');
    plot.setAttribute('aria-label', `${title.textContent}: ${now.textContent || more.textContent}, ${rounds.length} rounds`);
  }

  label(node) { return this.nodes[node] ?? 'SuperNode ' + node.slice(0, 6); }

  asTable(rounds, whole, people) {
    const table = document.createElement('table');
    table.className = 'b-table is-kv';
    const head = table.createTHead().insertRow();
    const names = [...(whole ? [['whole', whole]] : []), ...people.map(([n, s]) => [this.label(n), s])];
    for (const h of ['round', ...names.map(([n]) => n)]) { const th = document.createElement('th'); th.textContent = h; head.append(th); }
    const body = table.createTBody();
    for (const r of rounds) {
      const tr = body.insertRow();
      for (const v of [r, ...names.map(([, s]) => digits(s.get(r)))]) tr.insertCell().textContent = v;
    }
    return table;
  }
}
