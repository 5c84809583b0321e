// The view of the charts lives in the address: a copied link shows what its sender saw, and Back brings it back.
const flags = ['log', 'smooth', 'clip', 'table'];

export function readView() {
  const p = new URLSearchParams(location.search), v = { hide: new Set(list(p.get('hide'))), pick: list(p.get('pick')), rank: p.get('rank') ?? '', more: Number(p.get('more')) || 0, zoom: null };
  for (const f of flags) v[f] = p.get(f) === '1';
  const x = /^(\d+)-(\d+)$/.exec(p.get('x') ?? '');
  if (x && Number(x[1]) < Number(x[2])) v.zoom = [Number(x[1]), Number(x[2])];
  return v;
}

export function writeView(v) {
  const url = new URL(location.href), p = url.searchParams;
  const put = (k, text) => { if (text) p.set(k, text); else p.delete(k); };
  for (const f of flags) put(f, v[f] && '1');
  put('hide', [...v.hide].join(','));
  put('pick', v.pick.join(','));
  put('rank', v.rank);
  put('more', v.more && String(v.more));
  put('x', v.zoom && v.zoom.join('-'));
  if (url.href !== location.href) history.replaceState(history.state, '', url);
}

const list = (text) => (text ? text.split(',').filter((t) => /^[\w -]{1,40}$/.test(t)).slice(0, 20) : []);
