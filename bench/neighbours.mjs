/**
 * Measures how stalled viewers affect the others: the longest wait for bytes of each reading viewer, with one in five viewers stalled and with none, in
 * turns in one run. A plain pipe() is the comparison: one stalled viewer stops all.
 *
 *   npm run build && node bench/neighbours.mjs [--viewers 200] [--seconds 6] [--rounds 5] [--save]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { finish, pause, percentile, readOptions, round } from './support/bench.mjs';

const STALLED_SHARE = 0.2;
const BYTES_PER_SECOND = 1e6; // 8 Mb/s
const ARRIVAL_BYTES = 8192;
const EXTRA_GOAL_MS = 50;

const { save, ...parameters } = readOptions({ viewers: 200, seconds: 6, rounds: 5 });
const { viewers, seconds, rounds } = parameters;

/** The longest wait (ms) of each reading viewer. */
async function waits(contender, share) {
  const engine = child('./fan-out-source.mjs');
  const server = child('./fan-out-server.mjs');
  const client = child('./neighbours-clients.mjs');
  engine.send({ bytesPerSecond: BYTES_PER_SECOND, arrivalBytes: ARRIVAL_BYTES });
  const { port: sourcePort } = await message(engine, 'listening');
  server.send({ contender, streams: 1, sourcePort });
  const { port } = await message(server, 'listening');
  client.send({ port, viewers, stalled: Math.round(viewers * share) });
  await message(client, 'all-served');
  client.send('begin');
  await pause(seconds * 1000);
  client.send('end');
  const { waits } = await message(client, 'waits');
  for (const process of [engine, client, server]) process.kill();
  await once(client, 'exit');
  return waits;
}

function child(file) {
  return fork(new URL(file, import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function message(from, type) {
  while (true) {
    const [answer] = await once(from, 'message');
    if (answer.type === type) return answer;
  }
}

/** The p95 of each round. All viewers share their chunks, so one late chunk decides a whole round: the median of the rounds counts. */
const measured = { none: [], fifth: [] };
for (let index = 0; index < rounds; index += 1) {
  measured.none.push(percentile(await waits('broadcast', 0), 0.95));
  measured.fifth.push(percentile(await waits('broadcast', STALLED_SHARE), 0.95));
}
const pipe = percentile(await waits('pipe', STALLED_SHARE), 0.95);
const median = (values) => round(percentile(values, 0.5), 1);
const told = (values) => `${median(values)} ms (rounds: ${values.map((value) => Math.round(value)).join(', ')})`;
const extra = round(median(measured.fifth) - median(measured.none), 1);
await finish(
  'neighbours',
  parameters,
  [
    {
      what: 'Longest wait of a viewer (p95 of viewers), one in five of the others stalled',
      ours: told(measured.fifth),
      other: `nobody stalled ${told(measured.none)}`,
      ratio: round(median(measured.fifth) / median(measured.none), 2),
    },
    { what: '– extra', ours: `${extra} ms`, goal: `${EXTRA_GOAL_MS} ms`, met: extra < EXTRA_GOAL_MS },
    { what: '– the same behind a pipe', ours: `${round(pipe, 0)} ms`, other: `of ${seconds} s watched` },
  ],
  { waits: { ...measured, pipe } },
  save,
);
