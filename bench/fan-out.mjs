/**
 * Measures the cost of one stream to many viewers: our Broadcast and a plain pipe() fan-out, in one run, on loopback sockets.
 *
 *   npm run build && node bench/fan-out.mjs [--streams 1] [--viewers 400] [--megabits 8] [--seconds 8] [--rounds 2] [--arrival 8192] [--save]
 *
 * The server reads paced streams from sockets, as from engines, and serves each to its viewers over HTTP/1.1 with chunked replies. Server, source and
 * viewers are separate processes; the viewers count what they receive. The figure is the CPU time (user and system) of the server per gigabyte that
 * reached the viewers, from the moment all viewers are served. Rounds alternate, so that a busy machine affects both.
 *
 * A pipe writes each piece to every viewer, so its cost depends on the size of the pieces (--arrival, bytes). Ours does not.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { machine, tell } from './support/bench.mjs';

/** Goals: share of the cost of a plain pipe, and megabytes of memory. */
const GOAL = 0.25;
const MEMORY_GOAL_MB = 150;

const options = parseArgs({
  options: {
    streams: { type: 'string', default: '1' },
    viewers: { type: 'string', default: '400' },
    megabits: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '2' },
    arrival: { type: 'string', default: '8192' },
    save: { type: 'boolean', default: false },
  },
}).values;
const streams = Number(options.streams);
/** For each stream. */
const viewers = Number(options.viewers);
const bytesPerSecond = (Number(options.megabits) * 1e6) / 8;
const seconds = Number(options.seconds);
const arrivalBytes = Number(options.arrival);

async function measure(name) {
  const engine = child('./fan-out-source.mjs');
  const server = child('./fan-out-server.mjs');
  const client = child('./fan-out-clients.mjs');
  engine.send({ bytesPerSecond, arrivalBytes });
  const { port: sourcePort } = await message(engine, 'listening');
  server.send({ contender: name, streams, sourcePort });
  const { port } = await message(server, 'listening');
  client.send({ port, streams, viewers });
  await message(client, 'all-served');

  const startedAt = performance.now();
  server.send('begin');
  client.send('mark');
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  server.send('end');
  client.send('mark');
  const [cost, { received, least, most }] = await Promise.all([message(server, 'cost'), message(client, 'received')]);
  const elapsed = (performance.now() - startedAt) / 1000;
  for (const process of [engine, client, server]) process.kill();
  await once(client, 'exit');
  const gigabytes = received / 1e9;
  const cpuSeconds = (cost.user + cost.system) / 1e6;
  return {
    name,
    gigabytes: round(gigabytes),
    megabytesPerSecond: round(received / 1e6 / elapsed),
    ofRealTime: round(received / (streams * viewers * bytesPerSecond * elapsed)),
    cpuSeconds: round(cpuSeconds),
    userSeconds: round(cost.user / 1e6),
    cpuSecondsPerGigabyte: round(cpuSeconds / gigabytes),
    eventLoopDelayP99Ms: round(cost.delayP99Ms),
    leastMegabytesOfAViewer: round(least / 1e6),
    mostMegabytesOfAViewer: round(most / 1e6),
    peakMegabytes: round(cost.peakBytes / 1e6),
  };
}

function child(file) {
  return fork(new URL(file, import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function message(client, type) {
  while (true) {
    const [answer] = await once(client, 'message');
    if (answer.type === type) return answer;
  }
}

function round(value) {
  return Math.round(value * 1000) / 1000;
}

function cost(runs, name) {
  const own = runs.filter((run) => run.name === name);
  return own.reduce((sum, run) => sum + run.cpuSeconds, 0) / own.reduce((sum, run) => sum + run.gigabytes, 0);
}

const peak = (name) => Math.max(...runs.filter((run) => run.name === name).map(({ peakMegabytes }) => peakMegabytes));

const runs = [];
for (let index = 0; index < Number(options.rounds); index += 1) {
  for (const name of ['pipe', 'broadcast']) {
    const run = await measure(name);
    runs.push(run);
    console.log(
      `${name.padEnd(10)} ${run.cpuSecondsPerGigabyte.toFixed(3)} CPU s/GB (${run.userSeconds} of ${run.cpuSeconds} s in user mode)  ${run.megabytesPerSecond} MB/s (${Math.round(run.ofRealTime * 100)} % of real time)  event loop p99 ${run.eventLoopDelayP99Ms} ms`,
    );
  }
}
const result = {
  benchmark: 'fan-out',
  at: new Date().toISOString(),
  machine: machine(),
  parameters: { streams, viewers, megabits: Number(options.megabits), arrivalBytes, seconds, rounds: Number(options.rounds) },
  runs,
  cpuSecondsPerGigabyte: { pipe: round(cost(runs, 'pipe')), broadcast: round(cost(runs, 'broadcast')) },
  ratio: round(cost(runs, 'broadcast') / cost(runs, 'pipe')),
  peakMegabytes: { pipe: peak('pipe'), broadcast: peak('broadcast') },
};
const { broadcast: ours, pipe } = result.cpuSecondsPerGigabyte;
const inTime = (name) => Math.round(100 * Math.min(...runs.filter((run) => run.name === name).map(({ ofRealTime }) => ofRealTime)));
const cell = (value) => value.toFixed(3);
// A pipe that falls behind gets larger pieces and looks cheap: its figure is not valid then.
const kept = inTime('pipe') >= 95;
result.rows = [
  {
    what: `Fan-out ${streams} x ${viewers} at ${options.megabits} Mb/s, CPU s/GB`,
    ours: `${cell(ours)}, ${inTime('broadcast')} % of real time`,
    other: `pipe ${cell(pipe)}, ${inTime('pipe')} % of real time`,
    ratio: result.ratio,
    ...(kept ? { goal: String(GOAL), met: result.ratio <= GOAL } : {}),
  },
  {
    what: '– peak memory',
    ours: `${Math.round(result.peakMegabytes.broadcast)} MB`,
    other: `pipe ${Math.round(result.peakMegabytes.pipe)} MB`,
    goal: `${MEMORY_GOAL_MB} MB`,
    met: result.peakMegabytes.broadcast <= MEMORY_GOAL_MB,
  },
];
tell(result.rows);
process.send?.({ type: 'result', result });
if (options.save) {
  const folder = new URL('./results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  await writeFile(
    new URL(`fan-out-${streams > 1 ? `${streams}x` : ''}${viewers}x${options.megabits}-arrival-${arrivalBytes}.json`, folder),
    `${JSON.stringify(result, null, 2)}\n`,
  );
}
process.exitCode = result.rows.some(({ met }) => met === false) ? 1 : 0;
