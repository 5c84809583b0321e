// One metric over rounds, as the server tells it: kept by point, so that what comes later replaces what it changes. Of a list-valued metric
// the points are its elements, in one round.
const columns = ['low', 'median', 'high', 'weighted', 'whole', 'nodes', 'odd'];

export const keyOf = (s) => `${s.phase} ${s.name}${s.list ? ' []' : ''}`;

export class Series {
  constructor({ phase, name, list }) {
    this.phase = phase;
    this.name = name;
    this.list = !!list;
    this.points = new Map(); // by bin of rounds, or by element
    this.people = new Map(); // by SuperNode
    this.version = 0; // grows with each answer
  }

  take(s, size) {
    this.version++;
    if (this.list) {
      this.points.clear();
      Object.assign(this, { round: s.round ?? 0, first: s.first ?? null, before: s.before ?? [] });
    }
    s.rounds.forEach((round, i) => {
      const p = { round };
      for (const c of columns) p[c] = s[c]?.[i] ?? null;
      this.points.set(this.list ? round : Math.floor(round / size), p);
    });
    this.people = new Map((s.people ?? []).map((p) => [p.node, new Map(p.rounds.map((r, i) => [r, p.values[i]]))]));
  }

  // sorted returns the points in their order on the x axis.
  sorted() { return [...this.points.values()].sort((a, b) => a.round - b.round); }

  // main is the line in front: what the app itself tells, or our mean where it tells nothing.
  main(points) {
    if (points.some((p) => p.whole != null)) return { key: 'whole', label: this.phase === 'server' ? 'ServerApp' : 'aggregate' };
    if (points.some((p) => p.weighted != null)) return { key: 'weighted', label: 'mean, weighted by num-examples' };
    return null;
  }

  title() { return `${this.name}${this.list ? ' by element' : ''} · ${this.phase === 'server' ? 'on the server' : this.phase}${this.list ? `, round ${this.round}` : ''}`; }
}
