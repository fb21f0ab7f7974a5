/**
 * Measures the cost of streams with many viewers: our proxy, acexy and a C loop, in turns, on loopback sockets.
 *
 *   npm run build && node bench/fan-out.mjs [--streams 1] [--viewers 400] [--megabits 8] [--seconds 30] [--rounds 1] [--arrival 8192] [--save]
 *
 * `--viewers` is the number for each stream. Source (a stand-in for engines that plays real MPEG-TS in pieces of --arrival bytes), proxy and viewers are
 * separate processes. Ours is the whole proxy as users run it; it is measured when its buffers are full. The main figure is CPU time (user and
 * system) of the proxy for each gigabyte that reached the viewers. `--only ours` (or acexy, C, "C 64 KB") measures one proxy without a verdict.
 */
import { existsSync } from 'node:fs';
import { finish, readOptions, round } from './support/bench.mjs';
import { ACEXY, OurProxy, startAcexy, startReference } from './support/contenders.mjs';
import { measureFanOut } from './support/fan-out.mjs';
import { missingTools } from './support/native.mjs';

const { save, only, ...parameters } = readOptions({
  streams: 1,
  viewers: 400,
  megabits: 8,
  seconds: 30,
  rounds: 1,
  arrival: 8192,
  only: '',
});
const { streams, viewers, megabits, rounds } = parameters;
const shape = `${streams.toLocaleString('en')} × ${viewers.toLocaleString('en')} at ${megabits} Mb/s`;

/** At most this many times the CPU time of the C loop with writes of the same size. */
const COST_GOAL = new Map([
  ['1x400', 1.3],
  ['100x4', 1.5],
]).get(`${streams}x${viewers}`);
const MEMORY_GOAL_MB = 1000;
/** A viewer is served in real time if it gets this share of the bit rate. The rest is the size of the last write. */
const REAL_TIME = 0.95;
const KIBIBYTE = 1024;
/** Our chunks: what arrives in this time, up to this size. */
const CHUNK_SECONDS = 0.25;
const CHUNK_BYTES = 256 * KIBIBYTE;
/** The size of our writes as a power of two. */
const writeBytes = Math.min(CHUNK_BYTES, 2 ** Math.round(Math.log2((megabits * 1e6 * CHUNK_SECONDS) / 8)));

const CONTENDERS = {
  ours: (source) => OurProxy.start(source),
  acexy: (source) => startAcexy(source),
  C: (source) => startReference({ ...source, writeBytes }),
  'C 64 KB': (source) => startReference({ ...source, writeBytes: 64 * KIBIBYTE }),
};

const cost = ({ cpuSeconds, gigabytes }) => cpuSeconds / gigabytes;

/** What all rounds of a contender show together. */
function summary(runs) {
  const sum = (field) => runs.reduce((total, run) => total + run[field], 0);
  return {
    cost: sum('cpuSeconds') / sum('gigabytes'),
    slowestMegabits: Math.min(...runs.map(({ slowestMegabits }) => slowestMegabits)),
    faults: sum('gaps') + sum('badSync') + sum('closedViewers'),
    peakMegabytes: Math.max(...runs.map(({ peakMegabytes }) => peakMegabytes)),
    loopDelayP99Ms: Math.max(...runs.map(({ loopDelayP99Ms }) => loopDelayP99Ms)),
    loopDelayMaxMs: Math.max(...runs.map(({ loopDelayMaxMs }) => loopDelayMaxMs)),
  };
}

function rowsOf(summaries) {
  const { ours, acexy, C: reference, 'C 64 KB': c64 } = summaries;
  const ratio = round(ours.cost / reference.cost, 2);
  const shown = (each, text) => each && text(each);
  const inRealTime = ours.slowestMegabits >= REAL_TIME * megabits && ours.faults === 0;
  return [
    {
      what: `Fan-out ${shape}, CPU s/GB`,
      ours: ours.cost.toFixed(2),
      acexy: shown(acexy, (each) => each.cost.toFixed(2)) ?? 'not built',
      other: `C ${reference.cost.toFixed(2)} (writes of ${writeBytes / KIBIBYTE} KB; of 64 KB: ${c64.cost.toFixed(2)})`,
      ratio,
      ...(COST_GOAL && { goal: `at most ${COST_GOAL} × C`, met: ratio <= COST_GOAL }),
    },
    {
      what: '– slowest viewer',
      ours: `${ours.slowestMegabits.toFixed(2)} Mb/s`,
      acexy: shown(acexy, (each) => `${each.slowestMegabits.toFixed(2)} Mb/s`),
      other: `C ${reference.slowestMegabits.toFixed(2)} Mb/s`,
      goal: 'real time',
      met: inRealTime,
    },
    {
      what: '– peak memory',
      ours: `${ours.peakMegabytes} MB`,
      acexy: shown(acexy, (each) => `${each.peakMegabytes} MB`),
      other: `C ${reference.peakMegabytes} MB`,
      ...(streams > 1 && { goal: `under ${MEMORY_GOAL_MB} MB`, met: ours.peakMegabytes < MEMORY_GOAL_MB }),
    },
    { what: '– delay of the event loop, p99 / longest', ours: `${ours.loopDelayP99Ms} / ${ours.loopDelayMaxMs} ms` },
  ];
}

const file = `fan-out-${streams}x${viewers}-${megabits}`;
const missing = missingTools();
if (missing !== null) {
  await finish({ benchmark: 'fan-out', file, parameters, rows: [{ what: `Fan-out ${shape}`, ours: `skipped: ${missing}` }], save });
} else {
  const names = Object.keys(CONTENDERS).filter((name) => (name !== 'acexy' || existsSync(ACEXY)) && (only === '' || name === only));
  const runs = [];
  for (let index = 0; index < rounds; index += 1) {
    for (const name of names) {
      const run = { name, ...(await measureFanOut(CONTENDERS[name], parameters)) };
      runs.push(run);
      console.log(
        `${name.padEnd(8)} ${cost(run).toFixed(3)} CPU s/GB (user ${run.userSecondsPerGigabyte}, system ${run.systemSecondsPerGigabyte}), ` +
          `${run.cores} cores, ${Math.round(run.realTime * 100)} % of real time, slowest viewer ${run.slowestMegabits} Mb/s, ` +
          `${run.gaps} gaps, ${run.closedViewers} viewers closed, ${run.megabytes} MB (peak ${run.peakMegabytes})` +
          (run.loopDelayP99Ms === undefined ? '' : `, event loop p99 ${run.loopDelayP99Ms} ms, longest ${run.loopDelayMaxMs} ms`),
      );
    }
  }
  if (only !== '') process.exit();
  const summaries = Object.fromEntries(names.map((name) => [name, summary(runs.filter((run) => run.name === name))]));
  await finish({ benchmark: 'fan-out', file, parameters, rows: rowsOf(summaries), details: { runs }, save });
}
