/**
 * Measures how stalled viewers affect the others: the longest wait for bytes of each reading viewer, with one in five viewers stalled and with none, in
 * turns in one run.
 *
 *   npm run build && node bench/stalled-viewers.mjs [--viewers 200] [--seconds 6] [--rounds 5] [--save]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { finish, pause, percentile, readOptions, round } from './support/bench.mjs';
import { clips } from './support/clips.mjs';
import { OurProxy } from './support/contenders.mjs';
import { JsonProgram, missingTools, nativeTool } from './support/native.mjs';
import { contentId } from './support/pair.mjs';

const STALLED_SHARE = 0.2;
const MEGABITS = 8;
const EXTRA_GOAL_MS = 50;
const REPLY_LIMIT_MS = 60_000;

const { save, ...parameters } = readOptions({ viewers: 200, seconds: 6, rounds: 5 });
const { viewers, seconds, rounds } = parameters;

/** The longest wait (ms) of each reading viewer. */
async function waits(share) {
  const source = new JsonProgram(nativeTool('source'), clips(MEGABITS));
  const { port: sourcePort } = await source.next();
  const proxy = await OurProxy.start({ sourcePort });
  const clients = fork(new URL('./support/stalled-viewers.mjs', import.meta.url));
  const reply = async () => (await once(clients, 'message', { signal: AbortSignal.timeout(REPLY_LIMIT_MS) }))[0];
  try {
    clients.send({ port: proxy.port, path: `/ace/getstream?id=${contentId(0)}`, viewers, stalled: Math.round(viewers * share) });
    await reply();
    clients.send('begin');
    await pause(seconds * 1000);
    clients.send('end');
    return (await reply()).waits;
  } finally {
    clients.kill();
    await Promise.all([proxy.stop(), source.stop()]);
  }
}

/** The p95 of each round. All viewers share their chunks, so one late chunk decides a whole round: the median of the rounds counts. */
async function measure() {
  const measured = { none: [], fifth: [] };
  for (let index = 0; index < rounds; index += 1) {
    measured.none.push(percentile(await waits(0), 0.95));
    measured.fifth.push(percentile(await waits(STALLED_SHARE), 0.95));
  }
  const median = (values) => percentile(values, 0.5);
  const shown = (values) => `${Math.round(median(values))} ms`;
  const extra = round(median(measured.fifth) - median(measured.none), 1);
  const row = {
    what: 'Longest wait of a viewer (p95) while one viewer in five is stalled',
    ours: shown(measured.fifth),
    other: `no viewer stalled ${shown(measured.none)}`,
    ratio: round(median(measured.fifth) / median(measured.none), 2),
    goal: `at most ${EXTRA_GOAL_MS} ms more`,
    met: extra < EXTRA_GOAL_MS,
  };
  return { rows: [row], details: { waits: measured } };
}

const missing = missingTools();
const skipped = { rows: [{ what: 'Longest wait of a viewer while others are stalled', ours: `skipped: ${missing}` }] };
await finish({ benchmark: 'stalled-viewers', parameters, ...(missing === null ? await measure() : skipped), save });
