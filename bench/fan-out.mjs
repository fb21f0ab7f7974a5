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
import { finish, pause, readOptions, round } from './support/bench.mjs';
import { ARRIVAL_BYTES, reply, startFanOut } from './support/fan-out.mjs';

/** Goals: share of the cost of a plain pipe, and megabytes of memory. */
const GOAL = 0.25;
const MEMORY_GOAL_MB = 150;

const { save, ...parameters } = readOptions({ streams: 1, viewers: 400, megabits: 8, seconds: 8, rounds: 2, arrival: ARRIVAL_BYTES });
/** `viewers` is the number for each stream. */
const { streams, viewers, megabits, seconds, rounds, arrival: arrivalBytes } = parameters;
const bytesPerSecond = (megabits * 1e6) / 8;

async function measure(name) {
  const fanOut = await startFanOut({ contender: name, streams, bytesPerSecond, arrivalBytes }, 'fan-out-clients.mjs', { viewers });
  const startedAt = performance.now();
  fanOut.server.send('begin');
  fanOut.viewers.send('mark');
  await pause(seconds * 1000);
  fanOut.server.send('end');
  fanOut.viewers.send('mark');
  const [cost, { received, least, most }] = await Promise.all([reply(fanOut.server, 'cost'), reply(fanOut.viewers, 'received')]);
  const elapsed = (performance.now() - startedAt) / 1000;
  await fanOut.stop();
  if (name === 'broadcast' && !fanOut.allServed) throw new Error('the broadcast did not serve all viewers in time');
  const gigabytes = received / 1e9;
  const cpuSeconds = (cost.user + cost.system) / 1e6;
  return {
    name,
    allServed: fanOut.allServed,
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

const runs = [];
for (let index = 0; index < rounds; index += 1) {
  for (const name of ['pipe', 'broadcast']) {
    const run = await measure(name);
    runs.push(run);
    console.log(
      `${name.padEnd(10)} ${run.cpuSecondsPerGigabyte.toFixed(3)} CPU s/GB (${run.userSeconds} of ${run.cpuSeconds} s in user mode)  ${run.megabytesPerSecond} MB/s (${Math.round(run.ofRealTime * 100)} % of real time)  event loop p99 ${run.eventLoopDelayP99Ms} ms`,
    );
  }
}

/** What all runs of one contender show together. */
function summary(name) {
  const own = runs.filter((run) => run.name === name);
  const sum = (field) => own.reduce((total, run) => total + run[field], 0);
  return {
    cost: sum('cpuSeconds') / sum('gigabytes'),
    peakMegabytes: Math.max(...own.map(({ peakMegabytes }) => peakMegabytes)),
    allServed: own.every(({ allServed }) => allServed),
    realTimePercent: Math.round(100 * Math.min(...own.map(({ ofRealTime }) => ofRealTime))),
  };
}
const ours = summary('broadcast');
const pipe = summary('pipe');
const ratio = round(ours.cost / pipe.cost);
const shown = ({ allServed, cost, realTimePercent }) =>
  `${cost.toFixed(3)}, ${realTimePercent} % of real time${allServed ? '' : ', not all viewers served'}`;
// A pipe that falls behind gets larger pieces and looks cheap: its figure is not valid then.
const pipeIsValid = pipe.realTimePercent >= 95;
await finish({
  benchmark: 'fan-out',
  file: `fan-out-${streams > 1 ? `${streams}x` : ''}${viewers}x${megabits}-arrival-${arrivalBytes}`,
  parameters: { streams, viewers, megabits, arrivalBytes, seconds, rounds },
  rows: [
    {
      what: `Fan-out ${streams} x ${viewers} at ${megabits} Mb/s, CPU s/GB`,
      ours: shown(ours),
      other: `pipe ${shown(pipe)}`,
      ratio,
      ...(pipeIsValid && { goal: String(GOAL), met: ratio <= GOAL }),
    },
    {
      what: '– peak memory',
      ours: `${Math.round(ours.peakMegabytes)} MB`,
      other: `pipe ${Math.round(pipe.peakMegabytes)} MB`,
      goal: `${MEMORY_GOAL_MB} MB`,
      met: ours.peakMegabytes <= MEMORY_GOAL_MB,
    },
  ],
  details: {
    runs,
    cpuSecondsPerGigabyte: { pipe: round(pipe.cost), broadcast: round(ours.cost) },
    ratio,
    peakMegabytes: { pipe: pipe.peakMegabytes, broadcast: ours.peakMegabytes },
  },
  save,
});
