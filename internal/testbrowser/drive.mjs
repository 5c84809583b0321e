// Drives real browsers for a test: one JSON command a line on stdin, one JSON answer a line on stdout.
// {who, do: open|fill|click|wait|read|drawn|press|focus|hover|back|download|drag|mark|marked|size|url|shot|overlaps|stuck, at, value}; each who has a browser of their own, those whose name begins with scriptless run no scripts. Usage: node drive.mjs ASSETS CHROMIUM
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const require = createRequire(process.argv[2] + '/package.json');
const { chromium } = require('playwright-core');
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: process.argv[3], args: flags });
const pages = {};

async function pageOf(who) {
  if (!pages[who]) { // the server has a CA of its own, as at most hospitals: people click the warning away once
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 }, javaScriptEnabled: !who.startsWith('scriptless') });
    pages[who] = await context.newPage();
    pages[who].setDefaultTimeout(20000);
  }
  return pages[who];
}

async function act({ who, do: what, at, value }) {
  const page = await pageOf(who);
  switch (what) {
    case 'cookie': await page.context().addCookies([{ name: 'blossomtune_session', value, url: at }]); return '';
    case 'open': await page.goto(at, { waitUntil: 'load' }); return page.url();
    case 'fill': await page.fill(at, value); return '';
    case 'click': await page.click(at); return '';
    case 'wait': await page.waitForSelector(at, { state: 'attached' }); return '';
    case 'read': return value ? await page.getAttribute(at, value) : await page.textContent(at);
    case 'drawn': return page.$eval(at, (c) => c.toDataURL()); // what is on a canvas
    case 'press': await page.keyboard.press(value); return '';
    case 'hover': await page.hover(at); return '';
    case 'focus': await page.focus(at); return '';
    case 'back': await page.goBack({ waitUntil: 'load' }); return page.url();
    case 'download': { // what a click brings, as text
      const [file] = await Promise.all([page.waitForEvent('download'), page.click(at)]);
      return readFileSync(await file.path(), 'latin1');
    }
    case 'mark': await page.evaluate(() => { window.marked = true; }); return ''; // gone when the page is loaded anew
    case 'marked': return String(await page.evaluate(() => window.marked === true));
    case 'url': return page.url();
    case 'drag': { // from one part of an element's width to another: "0.2 0.6"
      const box = await (await page.waitForSelector(at)).boundingBox(), [from, to] = value.split(' ').map((f) => box.x + Number(f) * box.width), y = box.y + box.height / 2;
      await page.mouse.move(from, y);
      await page.mouse.down();
      await page.mouse.move(to, y, { steps: 5 });
      await page.mouse.up();
      return '';
    }
    case 'size': { // "390 844 dark"
      const [width, height, colorScheme] = value.split(' ');
      await page.setViewportSize({ width: Number(width), height: Number(height) });
      await page.emulateMedia({ colorScheme: colorScheme ?? 'light' });
      return '';
    }
    case 'overlaps': return page.$eval(at, (root) => { // words that lie on other words, "one|other" a line
      const parts = [], found = [], walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
      for (let n = walk.nextNode(); n; n = walk.nextNode()) {
        if (!n.data.trim() || !n.parentElement.checkVisibility({ visibilityProperty: true }) || getComputedStyle(n.parentElement).clipPath !== 'none') continue;
        const range = document.createRange();
        range.selectNodeContents(n);
        for (const box of range.getClientRects()) parts.push({ text: n.data.trim().slice(0, 30), box, stuck: fixed(n.parentElement) });
      }
      function fixed(e) { for (; e; e = e.parentElement) if (['fixed', 'sticky'].includes(getComputedStyle(e).position)) return true; return false; }
      for (const [i, a] of parts.entries()) for (const b of parts.slice(i + 1)) {
        const wide = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left), high = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
        if (a.stuck === b.stuck && wide > 2 && high > 4) found.push(a.text + '|' + b.text);
      }
      return found.join('\n');
    });
    case 'stuck': return page.$$eval('button, a.btn', (all) => all.filter((b) => { // actions that stay in sight when the page is scrolled
      for (let e = b; e; e = e.parentElement) if (getComputedStyle(e).position === 'fixed') return b.checkVisibility();
      return false;
    }).map((b) => b.textContent.trim()).join('\n'));
    case 'shot': await page.screenshot({ path: at, fullPage: true }); return '';
  }
  throw new Error('no such command: ' + what);
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    console.log(JSON.stringify({ ok: true, value: await act(command) }));
  } catch (e) {
    const page = pages[command.who];
    console.log(JSON.stringify({ ok: false, value: `${e}\nat ${page?.url()}: ${await page?.textContent('body').catch(() => '')}` }));
  }
}
await browser.close();
