// What the charts do to numbers, without a page.
import assert from 'node:assert/strict';
import test from 'node:test';
import { smooth, clip, positive } from '../src/chart/change.js';
import { Series, keyOf } from '../src/chart/series.js';
import { dashes, digits, markers, styleOf } from '../src/chart/style.js';
import { readView, writeView } from '../src/chart/view.js';

test('smoothing skips the rounds without a value, and starts at the first one', () => {
  assert.deepEqual(smooth([null, 1, null, 2], 0.5), [null, 1, null, 1.5]);
  assert.deepEqual(smooth([]), []);
});

test('clipping leaves outliers outside and counts them in all lines', () => {
  const line = [1, 2, 3, 4, 5, 6, 7, 8];
  assert.equal(clip([line]), null);
  assert.equal(clip([[1, 2, 3, 1000]]), null, 'too few points to tell');
  assert.equal(clip([[5, 5, 5, 5, 5, 5, 5, 900]]), null, 'all but one are the same: no spread to tell by');
  assert.deepEqual(clip([line, [null, -900, 1000]]), { limits: [-4, 12], outside: 2 });
});

test('a logarithmic scale leaves out what is not above 0, and says how much', () => {
  assert.deepEqual(positive([1, 0, null, -2, 3]), [[1, null, null, null, 3], 2]);
});

test('metrics have four significant digits, and never a percentage', () => {
  for (const [v, want] of [[null, '–'], [undefined, '–'], ['NaN', 'NaN'], [0, '0'], [-0.5, '−0.5000'], [0.98765, '0.9877'], [12.3456, '12.35'],
    [1234.5, '1235'], [42, '42'], [1e6, '1.000e+6'], [-0.00001, '−1.000e−5']]) assert.equal(digits(v), want, String(v));
});

test('a partition keeps its look, and neighbours differ in two ways at least', () => {
  assert.deepEqual(styleOf('7'), styleOf('7'));
  for (let n = 0; n < 200; n++) {
    const a = styleOf(String(n)), b = styleOf(String(n + 1));
    assert.ok(dashes.includes(a.dash) && a.dash.length > 0 && markers.includes(a.marker));
    assert.ok((a.tone !== b.tone) + (a.marker !== b.marker) + (a.dash !== b.dash) >= 2, `${n} and its neighbour`);
  }
  assert.deepEqual(styleOf('SuperNode 1a2b'), styleOf('SuperNode 1a2b'));
});

test('later answers replace the points that they change', () => {
  const s = new Series({ phase: 'train', name: 'loss' });
  s.take({ rounds: [2, 1], median: [0.2, 0.1], whole: [null, null], people: [{ node: '12', rounds: [1], values: [9] }] }, 1);
  s.take({ rounds: [2, 3], median: [0.25, 0.3], whole: [null, 0.5] }, 1);
  assert.deepEqual(s.sorted().map((p) => [p.round, p.median, p.whole]), [[1, 0.1, null], [2, 0.25, null], [3, 0.3, 0.5]]);
  assert.equal(s.people.size, 0);
  assert.equal(s.main(s.sorted()).label, 'aggregate');
  assert.equal(s.version, 2);
});

test('where points stand for several rounds, the last of them counts', () => {
  const s = new Series({ phase: 'server', name: 'acc' });
  s.take({ rounds: [9], weighted: [1] }, 10);
  s.take({ rounds: [7], weighted: [2] }, 10);
  assert.deepEqual(s.sorted().map((p) => [p.round, p.weighted]), [[7, 2]]);
  assert.equal(s.main(s.sorted()).key, 'weighted');
  assert.equal(s.title(), 'acc · on the server');
});

test('a list shows its elements in one round', () => {
  const s = new Series({ phase: 'train', name: 'loss', list: true });
  s.take({ round: 1, rounds: [0, 1, 2], median: [1, 2, 3] }, 1);
  s.take({ round: 4, rounds: [0], median: [5], first: 1, before: [1, 2, 3] }, 1);
  assert.deepEqual(s.sorted().map((p) => p.median), [5]);
  assert.equal(s.title(), 'loss by element · train, round 4');
  assert.notEqual(keyOf(s), keyOf({ phase: 'train', name: 'loss' }));
});

test('a view comes back from its address, and nonsense in an address is left out', () => {
  globalThis.location = new URL('https://fl.example/f/fed/runs/r?tab=1');
  globalThis.history = { state: null, replaceState: (_state, _title, url) => { globalThis.location = new URL(url); } };
  const v = { ...readView(), log: true, hide: new Set(['band', 'median']), pick: ['3', '7'], rank: 'low', more: 2, zoom: [2, 9] };
  writeView(v);
  assert.equal(globalThis.location.search, '?tab=1&log=1&hide=band%2Cmedian&pick=3%2C7&rank=low&more=2&x=2-9');
  assert.deepEqual(readView(), v);
  globalThis.location = new URL('https://fl.example/?x=9-2&more=some&log=yes&pick=<b>,4');
  assert.deepEqual(readView(), { hide: new Set(), pick: ['4'], rank: '', more: 0, zoom: null, log: false, smooth: false, clip: false, table: false });
});
