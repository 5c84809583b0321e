// What the log viewer makes of an app's text, without a page.
import assert from 'node:assert/strict';
import test from 'node:test';
import { clock, painted, visible } from '../src/logrow.js';

test('ANSI codes become classes, and end where the app ends them', () => {
  assert.deepEqual(painted('plain'), [['plain', '']]);
  assert.deepEqual(painted('\x1b[1;31mbad\x1b[22m red\x1b[92m green\x1b[39m end'), [['bad', 'a1 a31'], [' red', 'a31'], [' green', 'a92'], [' end', '']]);
  assert.deepEqual(painted('\x1b[4mu\x1b[mplain'), [['u', 'a4'], ['plain', '']]);
});

test('other codes and HTML stay harmless', () => {
  assert.deepEqual(painted('\x1b[2J\x1b[38;5;196m<b>&\x1b[0K'), [['<b>&', '']]);
  assert.deepEqual(painted('\x1b[999999m\x1b['), [['\x1b[', '']]);
});

test('of a progress bar only its last state is shown', () => {
  assert.equal(visible('10 %\r50 %\r100 %'), '100 %');
  assert.equal(visible('no bar'), 'no bar');
});

test('the time of a line has milliseconds', () => {
  assert.equal(clock(new Date(2026, 0, 2, 3, 4, 5, 6)), '03:04:05.006');
});
