// What readers may do to numbers before they are drawn. Each says what it did: nothing is silent.

// smooth is an exponential moving average over the values that there are; the others stay away.
export function smooth(values, weight = 0.6) {
  let last = null;
  return values.map((v) => (v == null ? null : (last = last == null ? v : weight * last + (1 - weight) * v)));
}

// clip finds limits that leave outliers outside, and how many points those are; null when there are none.
export function clip(lists) {
  const all = lists.flat().filter((v) => v != null).sort((a, b) => a - b);
  if (all.length < 8) return null;
  const at = (q) => all[Math.floor(q * (all.length - 1))], gap = 1.5 * (at(0.75) - at(0.25));
  if (!(gap > 0)) return null;
  const low = Math.max(at(0.25) - gap, all[0]), high = Math.min(at(0.75) + gap, all.at(-1));
  const outside = all.filter((v) => v < low || v > high).length;
  return outside ? { limits: [low, high], outside } : null;
}

// positive takes what a logarithmic scale cannot show out of lines, and counts it.
export function positive(values) {
  let gone = 0;
  return [values.map((v) => (v != null && v <= 0 ? (gone++, null) : v)), gone];
}
