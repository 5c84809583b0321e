// One stream a page: htmx swaps the regions that it brings, scripts hear its named events. A lost connection changes the look of
// what is live, and the lamp in the top bar says since when.
import htmx from 'htmx.org';

const quiet = 12000; // the server beats every five seconds

export function live() {
  const url = document.body.dataset.events;
  const lamp = document.querySelector('[data-live]');
  if (!url || !lamp) return;
  const stream = document.createElement('div');
  stream.hidden = true;
  stream.setAttribute('hx-sse:connect', url);
  stream.setAttribute('hx-swap', 'none');
  stream.setAttribute('hx-config', '{"sse":{"reconnectMaxDelay":5000}}');
  document.body.append(stream);
  let last = Date.now(), stale = null;
  const show = () => {
    const now = Date.now() - last > quiet;
    if (now === stale) return;
    stale = now;
    document.body.classList.toggle('is-stale', stale);
    lamp.classList.remove('is-off', 'is-ok', 'is-warn');
    lamp.classList.add(stale ? 'is-warn' : 'is-ok');
    lamp.firstElementChild.textContent = stale ? 'as of ' + new Date(last).toLocaleTimeString() : 'live';
  };
  const seen = () => { last = Date.now(); show(); };
  for (const name of ['beat', 'log', 'metric', 'stage', 'htmx:sse:after:message', 'htmx:sse:after:connection']) stream.addEventListener(name, seen);
  stream.addEventListener('gone', () => location.reload());
  setInterval(show, 1000);
  reloads(stream);
  htmx.process(stream);
}

// reloads loads a page anew when it has come to another stage, where more than a region changes. What somebody types is not lost:
// then it waits.
function reloads(stream) {
  const part = document.querySelector('[data-reload-on]');
  if (!part) return;
  stream.addEventListener(part.dataset.reloadOn, (e) => {
    const stage = JSON.parse(e.detail.data);
    const typing = document.activeElement?.matches('input:not([type=checkbox]), textarea') && document.activeElement.value;
    if (stage !== part.dataset.stage && !typing) location.reload();
  });
}
