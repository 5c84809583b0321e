// The rounds of a run: [ and ] go to the round before and after, the map has a cursor that the arrow keys move. What is shown is in
// the address. The server draws; this asks for another round, and anew when something has changed.
import htmx from 'htmx.org';

const words = { '.': 'not asked', e: 'trained and evaluated', t: 'trained', a: 'asked', o: 'offline', n: 'no reply', f: 'failed' };
const tick = 5000; // a round that goes on is drawn anew: its lanes grow

export function rounds() {
  if (!document.getElementById('rounds')?.dataset.rounds) return;
  const section = () => document.getElementById('rounds');
  let at = [0, 0], busy = false, again = false;

  async function load() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      do {
        again = false;
        const q = new URLSearchParams(location.search), ask = new URLSearchParams();
        for (const k of ['round', 'people']) if (q.get(k)) ask.set(k, q.get(k));
        await htmx.ajax('GET', `${section().dataset.rounds}?${ask}`, { target: '#rounds', swap: 'outerMorph' });
        cursor();
      } while (again);
    } catch { /* the connection is away: the next event tries again */ } finally { busy = false; }
  }

  function go(round, people) {
    const url = new URL(location.href), p = url.searchParams, last = Number(section().dataset.last);
    if (round < 1 || round > last) return;
    if (round === last) p.delete('round'); else p.set('round', round);
    if (people !== undefined) { if (people > 1) p.set('people', people); else p.delete('people'); }
    history.replaceState(history.state, '', url);
    load();
  }

  // cursor puts the map's cursor where it is and says what is there.
  function cursor() {
    const map = section().querySelector('[data-map]');
    map?.querySelectorAll('.b-mapat').forEach((r) => r.remove());
    if (!map || document.activeElement !== map) return;
    const rows = [...map.querySelectorAll('[data-row]')], n = Number(map.dataset.columns), w = Number(map.dataset.width), size = Number(map.dataset.size);
    at = [Math.min(Math.max(at[0], 0), rows.length - 1), Math.min(Math.max(at[1], 0), n - 1)];
    const svg = rows[at[0]].querySelector('svg'), rect = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    for (const [k, v] of Object.entries({ class: 'b-mapat', x: at[1] * w, width: w, height: 30 })) rect.setAttribute(k, v);
    svg.append(rect);
    const from = at[1] * size + 1, name = size > 1 ? `rounds ${from} to ${from + size - 1}` : `round ${from}`;
    map.querySelector('.b-mapsay').textContent = `${rows[at[0]].dataset.row}, ${name}: ${words[svg.dataset.cells[at[1]]]}`;
  }

  document.addEventListener('click', (e) => {
    const link = e.target.closest?.('[data-round-link]');
    if (link && !e.ctrlKey && !e.metaKey && !e.shiftKey && e.button === 0) {
      e.preventDefault();
      const p = new URL(link.href).searchParams;
      go(Number(p.get('round')) || Number(section().dataset.last), Number(p.get('people')) || 1);
      return;
    }
    const svg = e.target.closest?.('#rounds [data-cells]'), map = svg?.closest('[data-map]');
    if (!svg) return;
    at = [[...map.querySelectorAll('[data-row]')].indexOf(svg.closest('[data-row]')), Math.floor((e.clientX - svg.getBoundingClientRect().left) / Number(map.dataset.width))];
    map.focus({ preventScroll: true });
    cursor();
    go(Math.min(at[1] * Number(map.dataset.size) + 1, Number(section().dataset.last)));
  });
  document.addEventListener('focusin', (e) => { if (e.target.matches?.('[data-map]')) { at[1] = at[1] || Math.floor((Number(section().dataset.round) - 1) / Number(e.target.dataset.size)); cursor(); } });
  document.addEventListener('focusout', (e) => { if (e.target.matches?.('[data-map]')) cursor(); });
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
    const now = Number(section().dataset.round);
    if (e.key === '[') return go(now - 1);
    if (e.key === ']') return go(now + 1);
    if (!e.target.matches?.('[data-map]')) return;
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[e.key];
    if (move) { e.preventDefault(); at = [at[0] + move[0], at[1] + move[1]]; cursor(); }
    if (e.key === 'Enter') { e.preventDefault(); go(Math.min(at[1] * Number(e.target.dataset.size) + 1, Number(section().dataset.last))); }
  });
  document.addEventListener('rounds', load);
  setInterval(() => { if (section().dataset.liveRound && document.visibilityState === 'visible') load(); }, tick);
}
