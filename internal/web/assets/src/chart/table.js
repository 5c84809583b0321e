// The same numbers as a table.
import { digits } from './style.js';

const most = 200;

export function asTable(series, points, main, people) {
  const table = document.createElement('table');
  table.className = 'b-table is-kv';
  const spread = points.some((p) => p.nodes > 0);
  const cols = [[series.list ? 'element' : 'round', (p) => p.round]];
  if (main) cols.push([main.label, (p) => digits(p[main.key])]);
  if (spread) cols.push(['lowest', (p) => digits(p.low)], ['median', (p) => digits(p.median)], ['highest', (p) => digits(p.high)], ['participants', (p) => p.nodes], ['NaN or infinite', (p) => p.odd]);
  for (const [label, values] of people) cols.push([label, (p) => digits(values.get(p.round))]);
  const head = table.createTHead().insertRow();
  for (const [h] of cols) { const th = document.createElement('th'); th.scope = 'col'; th.textContent = h; head.append(th); }
  const body = table.createTBody();
  for (const p of points.slice(-most)) { const tr = body.insertRow(); for (const [, read] of cols) tr.insertCell().textContent = read(p); }
  if (points.length > most) table.createCaption().textContent = `The newest ${most} of ${points.length} points; all of them are in the CSV.`;
  return table;
}
