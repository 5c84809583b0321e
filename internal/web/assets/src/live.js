// The lamp in the top bar, and what becomes of live regions when the connection is lost: their look says so.
const quiet = 12000; // the server beats every five seconds

export function live() {
  const source = document.getElementById('live');
  const lamp = document.getElementById('lamp');
  if (!source || !lamp) return;
  let last = Date.now();
  const seen = () => { last = Date.now(); show(); };
  const show = () => {
    const stale = Date.now() - last > quiet;
    document.body.classList.toggle('is-stale', stale);
    lamp.className = 'b-live ' + (stale ? 'is-warn' : 'is-ok');
    lamp.textContent = stale ? 'as of ' + new Date(last).toLocaleTimeString() : 'live';
  };
  for (const name of ['beat', 'log', 'metric']) source.addEventListener(name, seen);
  source.addEventListener('htmx:sse:after:message', seen);
  source.addEventListener('htmx:sse:after:connection', seen);
  setInterval(show, 1000);
}
