// What a line looks like is tied to whose it is, so that no filter recolours it: a partition's colour, dash and marker follow from its
// number, those of other things from their name.
export const dashes = [[], [6, 4], [2, 3], [9, 4, 2, 4], [4, 2], [1, 4]];
export const markers = ['circle', 'square', 'diamond', 'triangle'];
const tones = ['s2', 's3', 's4', 's5', 's6'];

export function styleOf(key) {
  const n = /^\d{1,6}$/.test(key) ? Number(key) : [...key].reduce((h, c) => (h * 31 + c.charCodeAt(0)) >>> 0, 7);
  return { tone: tones[n % tones.length], dash: dashes[1 + (Math.floor(n / tones.length) % (dashes.length - 1))], marker: markers[n % markers.length] };
}

let probe; // an element that takes on colours
// colour resolves one of the style sheet's colours: a canvas cannot read light-dark().
export function colour(name, alpha = 1) {
  probe ??= document.createElement('i');
  if (!probe.isConnected) { probe.className = 'b-gone'; document.body.append(probe); }
  probe.style.setProperty('color', `var(--${name})`);
  const rgb = getComputedStyle(probe).color;
  return alpha === 1 ? rgb : rgb.replace(/^rgb\((.*)\)$/, `rgb($1 / ${alpha})`).replaceAll(', ', ' ');
}

// digits writes a metric: 4 significant digits, never a percentage, NaN spelled out; what was not reported is a dash.
export function digits(v) {
  if (v == null) return '–';
  if (typeof v === 'string') return v;
  if (v === 0) return '0';
  const a = Math.abs(v);
  const text = a >= 1e6 || a < 1e-4 ? v.toExponential(3) : v % 1 === 0 ? String(v) : v.toFixed(Math.max(3 - Math.floor(Math.log10(a)), 0));
  return text.replaceAll('-', '−');
}
