/**
 * Compares the proxy in one process with the proxy in two workers, in turns: what a gigabyte costs, and how much of real time the viewers get.
 *
 *   npm run build && node bench/workers.mjs [--streams 100] [--viewers 4] [--megabits 8] [--seconds 30] [--rounds 1] [--workers 2] [--save]
 *
 * No figure is required: on a machine with two cores, source and viewers share them with the workers.
 */
import { finish, readOptions, round } from './support/bench.mjs';
import { OurProxy } from './support/contenders.mjs';
import { measureFanOut } from './support/fan-out.mjs';
import { missingTools } from './support/native.mjs';

const { save, workers, rounds, ...shape } = readOptions({
  streams: 100,
  viewers: 4,
  megabits: 8,
  seconds: 30,
  rounds: 1,
  arrival: 8192,
  workers: 2,
});
const what = `${shape.streams} × ${shape.viewers} at ${shape.megabits} Mb/s`;
const parameters = { ...shape, workers, rounds };

/** The delay of one event loop says nothing about several. */
async function startWith(count, source) {
  const proxy = await OurProxy.start({ ...source, env: { ACEXY_WORKERS: String(count) } });
  return { port: proxy.port, pid: proxy.pid, settled: () => proxy.settled(), stop: () => proxy.stop() };
}

async function measured(count) {
  const run = await measureFanOut((source) => startWith(count, source), shape);
  console.log(
    `${count} worker${count > 1 ? 's' : ''}: ${round(run.cpuSeconds / run.gigabytes, 3)} CPU s/GB, ${run.cores} cores, ` +
      `${Math.round(run.realTime * 100)} % of real time, slowest viewer ${run.slowestMegabits} Mb/s, ${run.megabytes} MB`,
  );
  return run;
}

const missing = missingTools();
if (missing !== null) {
  await finish({ benchmark: 'workers', parameters, rows: [{ what: `Workers, ${what}`, ours: `skipped: ${missing}` }], save });
} else {
  const runs = { one: [], several: [] };
  for (let index = 0; index < rounds; index += 1) {
    runs.one.push(await measured(1));
    runs.several.push(await measured(workers));
  }
  const sum = (list, field) => list.reduce((total, run) => total + run[field], 0);
  const cost = (list) => sum(list, 'cpuSeconds') / sum(list, 'gigabytes');
  const rate = (list) => (sum(list, 'gigabytes') / (list.length * shape.seconds)) * 8;
  const rows = [
    {
      what: `${workers} workers, ${what}, CPU s/GB`,
      ours: round(cost(runs.several)).toFixed(2),
      other: `one process ${round(cost(runs.one)).toFixed(2)}`,
      ratio: round(cost(runs.several) / cost(runs.one), 2),
    },
    {
      what: '– delivered',
      ours: `${round(rate(runs.several), 1)} Gb/s`,
      other: `one process ${round(rate(runs.one), 1)} Gb/s`,
      ratio: round(rate(runs.several) / rate(runs.one), 2),
    },
  ];
  await finish({ benchmark: 'workers', parameters, rows, details: { runs }, save });
}
