// Visits pages in a real browser, in light and dark, wide and on a phone, and prints what is wrong with them as JSON.
// Usage: node browser.mjs JOB.json, with {assets, out, base, cookie, pages: [{name, path, wait}], act}
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const job = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const require = createRequire(job.assets + '/package.json');
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: job.chromium, args: flags });
const faults = [];
try {
  for (const scheme of ['light', 'dark']) for (const width of [1280, 390]) {
    const context = await browser.newContext({ viewport: { width, height: width > 400 ? 900 : 844 }, colorScheme: scheme, bypassCSP: false });
    if (job.cookie) await context.addCookies([{ name: 'blossomtune_session', value: job.cookie, url: job.base }]);
    for (const p of job.pages) {
      const page = await context.newPage();
      const where = `${p.name} ${scheme} ${width}`;
      page.on('console', (m) => { if (m.type() === 'error' && !(p.status && m.text().includes(String(p.status)))) faults.push(`${where}: console: ${m.text()}`); });
      page.on('pageerror', (e) => faults.push(`${where}: ${e}`));
      await page.goto(job.base + p.path, { waitUntil: 'load' });
      for (const sel of p.wait ?? []) await page.waitForSelector(sel, { timeout: 15000 }).catch(() => faults.push(`${where}: ${sel} does not come`));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) faults.push(`${where}: ${wide} px of horizontal scroll`);
      const over = await page.$$eval('.b-plot', (plots) => plots.filter((p) => p.scrollWidth > p.clientWidth + 1).length);
      if (over > 0) faults.push(`${where}: ${over} charts are wider than their places`);
      await page.screenshot({ path: `${job.out}/${p.name}-${scheme}-${width}.png`, fullPage: true });
      // axe comes by the debugger, which the page's policy does not concern.
      const client = await context.newCDPSession(page);
      await client.send('Runtime.evaluate', { expression: axe });
      const { result } = await client.send('Runtime.evaluate', { awaitPromise: true, returnByValue: true,
        expression: `axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? '')).join(' | ')))` });
      for (const v of result.value ?? ['axe did not run']) faults.push(`${where}: axe: ${v}`);
      await page.close();
    }
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify({ faults }, null, 1));
