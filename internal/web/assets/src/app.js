// The one script of the pages. It works on what the server rendered: without it the pages still show everything but charts and logs.
import htmx from 'htmx.org';
import 'htmx.org/dist/ext/hx-sse.js';
import { live } from './live.js';
import { confirms } from './confirm.js';
import { copyBoxes } from './copy.js';
import { configForms } from './config.js';
import { requestLists } from './requests.js';
import { logViewers } from './log.js';
import { charts } from './charts.js';
import { rounds } from './rounds.js';
import { runTables } from './runs.js';
import { compareCharts } from './compare.js';
import { palettes } from './palette.js';

window.htmx = htmx;
live();
copyBoxes();
configForms();
requestLists();
logViewers();
charts();
rounds();
runTables();
compareCharts();
palettes();

confirms();
