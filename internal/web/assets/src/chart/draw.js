// drawChart draws lines over rounds and keeps them up to date. It is all that knows uPlot.
//
// A chart is described by a spec:
//   x       the rounds, ascending
//   lines   [{key, label, values, tone, width, dash, marker, faint}]: values by round, null where there is none
//   band    {low, high, tone} by round; may be missing
//   range   [from, to] of x that is shown; missing: all
//   ahead   the round after which nothing has happened yet; shaded; may be missing
//   log     a logarithmic y scale
//   limits  [low, high] of y; missing: all values
//   sync    charts with the same text share their cursor
//   zoom    called with [from, to] when somebody drags over rounds, with null after a double click
import uPlot from 'uplot';
import { colour } from './style.js';

export function drawChart(place, spec) { return new Chart(place, spec); }

class Chart {
  constructor(place, spec) {
    this.place = place;
    this.watch = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = place;
      if (this.plot && width > 0 && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
    });
    this.watch.observe(place);
    this.update(spec);
  }

  // update draws another spec; what the reader looks at stays where it is.
  update(spec) {
    this.spec = spec;
    const shape = JSON.stringify([spec.lines.map((l) => [l.key, l.tone, l.width, l.dash, l.marker, l.faint]), !!spec.band, !!spec.log, spec.x.length < 60]);
    if (this.plot && shape === this.shape) {
      this.plot.setData(dataOf(spec));
      return;
    }
    this.shape = shape;
    this.plot?.destroy();
    this.place.replaceChildren();
    this.plot = new uPlot(this.options(), dataOf(spec), this.place);
  }

  destroy() {
    this.watch.disconnect();
    this.plot?.destroy();
    this.plot = null;
    this.place.replaceChildren();
  }

  options() {
    const { spec } = this;
    const few = spec.x.length < 60;
    const series = [{ label: 'round' }];
    const bands = [];
    if (spec.band) {
      const edge = { stroke: 'transparent', width: 0, points: { show: false }, spanGaps: true };
      series.push({ ...edge, label: 'highest' }, { ...edge, label: 'lowest' });
      bands.push({ series: [1, 2], fill: () => colour(spec.band.tone, 0.16) });
    }
    for (const l of spec.lines) {
      const stroke = () => colour(l.tone, l.faint ? 0.3 : 1);
      series.push({ label: l.label, width: l.width ?? 1.25, dash: l.dash ?? [], stroke, spanGaps: true,
        points: { show: few && !!l.marker && !l.faint, size: (l.width ?? 1) > 1.5 ? 7 : 6, width: 1, stroke, fill: stroke, ...(shapes[l.marker] && { paths: shapes[l.marker] }) } });
    }
    const axis = { stroke: () => colour('muted'), font: '12px ' + getComputedStyle(document.body).fontFamily, ticks: { show: false }, grid: { stroke: () => colour('rule'), width: 1 } };
    return {
      width: this.place.clientWidth || 400, height: this.place.clientHeight || 216, series, bands, legend: { show: false }, padding: [8, 12, 0, 0],
      cursor: { sync: spec.sync ? { key: spec.sync } : undefined, y: false, drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => () => { this.spec.zoom?.(null); return null; } } },
      select: { show: true },
      scales: { x: { time: false, range: (_u, lo, hi) => around(this.spec.range ?? [lo, hi]) }, y: { distr: spec.log ? 3 : 1, range: (_u, lo, hi) => this.yRange(lo, hi) } },
      axes: [{ ...axis, grid: { show: false }, size: 28, gap: 6, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000], values: (_u, v) => v.map((n) => (n % 1 ? '' : n)) }, { ...axis, size: 56, gap: 6 }],
      hooks: { setSelect: [(u) => this.selected(u)], drawClear: [(u) => this.shade(u)] },
    };
  }

  yRange(lo, hi) {
    if (this.spec.limits) [lo, hi] = this.spec.limits;
    if (lo == null || hi == null) return this.spec.log ? [1, 10] : [0, 1];
    if (this.spec.log) return this.spec.limits ?? uPlot.rangeLog(lo, hi, 10, true);
    return lo === hi ? [lo - (Math.abs(lo) || 1) / 2, hi + (Math.abs(hi) || 1) / 2] : uPlot.rangeNum(lo, hi, 0.08, true);
  }

  selected(u) {
    if (u.select.width < 6) return;
    const from = Math.round(u.posToVal(u.select.left, 'x')), to = Math.round(u.posToVal(u.select.left + u.select.width, 'x'));
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    if (to > from) this.spec.zoom?.([from, to]);
  }

  // shade says which part of the run is still ahead.
  shade(u) {
    const { ahead } = this.spec;
    if (ahead == null || !(u.scales.x.max > ahead)) return;
    const left = Math.max(u.valToPos(ahead, 'x', true), u.bbox.left);
    u.ctx.fillStyle = colour('sunken');
    u.ctx.fillRect(left, u.bbox.top, u.bbox.left + u.bbox.width - left, u.bbox.height);
  }
}

const around = ([lo, hi]) => (lo === hi ? [lo - 0.5, hi + 0.5] : [lo, hi]);

function dataOf(spec) {
  const data = [spec.x];
  if (spec.band) data.push(spec.band.high, spec.band.low);
  for (const l of spec.lines) data.push(l.values);
  return data;
}

// shapes are the markers of lines: a colour alone tells nobody apart.
const shapes = {
  square: points((p, x, y, r) => p.rect(x - r, y - r, 2 * r, 2 * r)),
  diamond: points((p, x, y, r) => { p.moveTo(x, y - 1.3 * r); p.lineTo(x + 1.3 * r, y); p.lineTo(x, y + 1.3 * r); p.lineTo(x - 1.3 * r, y); p.closePath(); }),
  triangle: points((p, x, y, r) => { p.moveTo(x, y - 1.2 * r); p.lineTo(x + 1.2 * r, y + r); p.lineTo(x - 1.2 * r, y + r); p.closePath(); }),
};

function points(one) {
  return (u, sidx, i0, i1) => {
    const path = new Path2D(), xs = u.data[0], ys = u.data[sidx], r = (u.series[sidx].points.size / 2) * devicePixelRatio;
    for (let i = i0; i <= i1; i++) if (ys[i] != null) one(path, u.valToPos(xs[i], 'x', true), u.valToPos(ys[i], 'y', true), r);
    return { stroke: path, fill: path, flags: 3 };
  };
}
