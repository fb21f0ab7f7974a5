/**
 * Measures how stalled viewers affect the others: the longest wait for bytes of each reading viewer, with one in five viewers stalled and with none, in
 * turns in one run. A plain pipe() is the comparison: one stalled viewer stops all.
 *
 *   npm run build && node bench/stalled-viewers.mjs [--viewers 200] [--seconds 6] [--rounds 5] [--save]
 */
import { finish, pause, percentile, readOptions, round } from './support/bench.mjs';
import { reply, startFanOut } from './support/fan-out.mjs';

const STALLED_SHARE = 0.2;
const BYTES_PER_SECOND = 1e6; // 8 Mb/s
const EXTRA_GOAL_MS = 50;

const { save, ...parameters } = readOptions({ viewers: 200, seconds: 6, rounds: 5 });
const { viewers, seconds, rounds } = parameters;

/** The longest wait (ms) of each reading viewer. */
async function waits(contender, share) {
  const stalled = Math.round(viewers * share);
  const fanOut = await startFanOut({ contender, bytesPerSecond: BYTES_PER_SECOND }, 'stalled-viewers-clients.mjs', { viewers, stalled });
  fanOut.viewers.send('begin');
  await pause(seconds * 1000);
  fanOut.viewers.send('end');
  const { waits } = await reply(fanOut.viewers, 'waits');
  await fanOut.stop();
  return waits;
}

/** The p95 of each round. All viewers share their chunks, so one late chunk decides a whole round: the median of the rounds counts. */
const measured = { none: [], fifth: [] };
for (let index = 0; index < rounds; index += 1) {
  measured.none.push(percentile(await waits('broadcast', 0), 0.95));
  measured.fifth.push(percentile(await waits('broadcast', STALLED_SHARE), 0.95));
}
const pipe = percentile(await waits('pipe', STALLED_SHARE), 0.95);
const median = (values) => round(percentile(values, 0.5), 1);
const shown = (values) => `${median(values)} ms (rounds: ${values.map((value) => Math.round(value)).join(', ')})`;
const extra = round(median(measured.fifth) - median(measured.none), 1);
await finish({
  benchmark: 'stalled-viewers',
  parameters,
  rows: [
    {
      what: 'Longest wait of a viewer (p95 of viewers), one in five of the others stalled',
      ours: shown(measured.fifth),
      other: `no viewer stalled ${shown(measured.none)}`,
      ratio: round(median(measured.fifth) / median(measured.none), 2),
    },
    { what: '– extra', ours: `${extra} ms`, goal: `${EXTRA_GOAL_MS} ms`, met: extra < EXTRA_GOAL_MS },
    { what: '– the same behind a pipe', ours: `${round(pipe, 0)} ms`, other: `of ${seconds} s watched` },
  ],
  details: { waits: { ...measured, pipe } },
  save,
});
