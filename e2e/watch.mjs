// Watches the page of a run in some tabs, and notes when what came into it. Prints READY when all are live; ends with a line on the
// standard input, which says how many lines there are to wait for, and prints as JSON what each tab has seen.
// Usage: node watch.mjs JOB.json, with {assets, chromium, base, cookie, path, tabs}
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';

const job = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { chromium } = createRequire(job.assets + '/package.json')('playwright-core');
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: job.chromium, args: flags });
try {
  const tabs = [];
  for (let i = 0; i < job.tabs; i++) {
    const context = await browser.newContext(); // each is a browser of its own: one has six connections to a server without TLS
    await context.addCookies([{ name: 'blossomtune_session', value: job.cookie, url: job.base }]);
    const tab = await context.newPage();
    await tab.addInitScript(() => {
      window.seen = { lines: [], charts: [], told: [] };
      document.addEventListener('metric', () => window.seen.told.push(Date.now()));
      document.addEventListener('DOMContentLoaded', () => {
        new MutationObserver((all) => {
          const now = Date.now();
          for (const m of all) for (const li of m.addedNodes) {
            const at = / at (\d{13})$/.exec(li.textContent)?.[1];
            if (at) window.seen.lines.push([Number(li.dataset.n), now - Number(at)]);
          }
        }).observe(document.querySelector('.b-log ol'), { childList: true });
        new MutationObserver(() => window.seen.charts.push(Date.now())).observe(document.getElementById('charts'), { childList: true, subtree: true, characterData: true, attributes: true });
      });
    });
    await tab.goto(job.base + job.path);
    await tab.waitForSelector('.b-live.is-ok');
    tabs.push(tab);
  }
  console.log('READY');
  const total = Number(String((await once(process.stdin, 'data'))[0]).trim());
  const out = [];
  for (const tab of tabs) {
    if (total) await tab.waitForFunction((n) => document.getElementById('L' + n), total, { timeout: 30000 }).catch(() => {});
    out.push(await tab.evaluate(() => ({ ...window.seen, shown: [...document.querySelectorAll('.b-log li')].map((li) => [Number(li.dataset.n), li.querySelector('p').textContent]) })));
  }
  console.log(JSON.stringify(out));
} finally {
  await browser.close();
}
process.exit(0);
