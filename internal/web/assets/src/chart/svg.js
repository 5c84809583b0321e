// A chart as a picture of its own: SVG, and PNG made from it.
import { colour, digits } from './style.js';

const W = 720, H = 320, box = { l: 64, t: 40, r: 16, b: 56 };
const esc = (s) => String(s).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

export function asSVG(title, note, spec) {
  const [x0, x1] = spec.range ?? [spec.x[0], spec.x.at(-1)];
  const inside = (vs) => vs.filter((v, i) => v != null && spec.x[i] >= x0 && spec.x[i] <= x1);
  const ys = [...spec.lines.flatMap((l) => inside(l.values)), ...(spec.band ? [...inside(spec.band.low), ...inside(spec.band.high)] : [])];
  let [y0, y1] = spec.limits ?? [Math.min(...ys), Math.max(...ys)];
  if (!(y1 > y0)) { y0 -= 0.5; y1 += 0.5; }
  const f = spec.log ? Math.log10 : (v) => v;
  const X = (v) => box.l + ((v - x0) / (x1 - x0 || 1)) * (W - box.l - box.r), Y = (v) => H - box.b - ((f(v) - f(y0)) / (f(y1) - f(y0))) * (H - box.t - box.b);
  const path = (vs) => spec.x.map((x, i) => [x, vs[i]]).filter(([x, v]) => v != null && x >= x0 && x <= x1).map(([x, v], i) => `${i ? 'L' : 'M'}${X(x).toFixed(1)} ${Y(v).toFixed(1)}`).join('');
  const text = (x, y, s, more = '') => `<text x="${x}" y="${y}" fill="${colour('muted')}" ${more}>${esc(s)}</text>`;
  const out = [`<svg xmlns="http://www.w3.org/2000/svg" width="${W}" height="${H}" viewBox="0 0 ${W} ${H}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${W}" height="${H}" fill="${colour('surface')}"/>`, `<text x="${box.l}" y="24" font-size="16" font-weight="600" fill="${colour('text')}">${esc(title)}</text>`];
  for (let i = 0; i <= 4; i++) {
    const v = spec.log ? 10 ** (f(y0) + ((f(y1) - f(y0)) * i) / 4) : y0 + ((y1 - y0) * i) / 4;
    out.push(`<path d="M${box.l} ${Y(v).toFixed(1)}H${W - box.r}" stroke="${colour('rule')}"/>`, text(box.l - 8, Y(v) + 4, digits(v), 'text-anchor="end"'));
  }
  const step = Math.max(1, Math.ceil((x1 - x0) / 10));
  for (let r = x0; r <= x1; r += step) out.push(text(X(r), H - box.b + 18, r, 'text-anchor="middle"'));
  out.push(`<clipPath id="plot"><rect x="${box.l - 4}" y="${box.t - 4}" width="${W - box.l - box.r + 8}" height="${H - box.t - box.b + 8}"/></clipPath><g clip-path="url(#plot)" fill="none">`);
  if (spec.band) {
    const back = [...spec.x.keys()].reverse().filter((i) => spec.band.low[i] != null && spec.x[i] >= x0 && spec.x[i] <= x1).map((i) => `L${X(spec.x[i]).toFixed(1)} ${Y(spec.band.low[i]).toFixed(1)}`).join('');
    out.push(`<path d="${path(spec.band.high)}${back}Z" fill="${colour(spec.band.tone)}" fill-opacity=".16"/>`);
  }
  for (const l of spec.lines) out.push(`<path d="${path(l.values)}" stroke="${colour(l.tone)}" stroke-width="${l.width ?? 1.25}" stroke-opacity="${l.faint ? 0.3 : 1}" stroke-dasharray="${(l.dash ?? []).join(' ')}"/>`);
  out.push('</g>');
  let at = box.l;
  for (const l of spec.lines.filter(({ faint }) => !faint)) {
    out.push(`<path d="M${at} ${H - 22}h24" stroke="${colour(l.tone)}" stroke-width="${l.width ?? 1.25}" stroke-dasharray="${(l.dash ?? []).join(' ')}"/>`, text(at + 30, H - 18, l.label));
    at += 44 + l.label.length * 6.4;
  }
  if (note) out.push(text(box.l, H - 4, note));
  return out.join('') + '</svg>';
}

export function save(name, type, data) {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob([data], { type }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10000);
}

export function savePNG(name, svg) {
  const img = new Image();
  img.onload = () => {
    const c = document.createElement('canvas');
    c.width = 2 * W; c.height = 2 * H;
    c.getContext('2d').drawImage(img, 0, 0, c.width, c.height);
    c.toBlob((b) => save(name, 'image/png', b));
  };
  img.src = 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(svg);
}
