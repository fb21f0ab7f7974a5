/**
 * Measures `npm start` in a built tree until a viewer has the first byte, beyond what the engine alone needs, and then what both services cost while
 * nobody watches: processor time and memory, with a health check of each every 5 s as in the containers.
 *
 *   npm run build && node bench/start-up.mjs [--rounds 5] [--seconds 60] [--save]
 *
 * A simulated engine boots in 1 s. An engine alone is measured in turns with ours, from the start of its process to the first byte.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { finish, freePorts, pause, percentile, readOptions, round, until } from './support/bench.mjs';
import { Engine } from './support/engine.mjs';
import { contentId, timeOf } from './support/pair.mjs';
import { secondsOfEndedChildren, usageOf } from './support/processes.mjs';

const { rounds, seconds, save } = readOptions({ rounds: 5, seconds: 60 });
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const HEALTH_CHECK = path.join(ROOT, 'docker/health-check.sh');
const HEALTH_CHECK_MS = 5000;
const ENGINES = { SIM_BOOT_MS: '1000', SIM_API_DELAY_MS: '0', SIM_PREBUF_MS: '200' };
const GOAL = { startSeconds: 3, cpuPercent: 2, megabytes: 120 };
/** After this, the services have ended the first stream and are idle. */
const CALM_DOWN_MS = 10_000;
const SERVICES = ['orchestrator', 'proxy'];

/** `npm start` as a user types it, in a folder of its own. */
async function startAll() {
  const [apiPort, proxyPort] = await freePorts(2);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-start-up-'));
  const npm = spawn('npm', ['start', '--prefix', ROOT], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      APP_PORT: String(apiPort),
      ACEXY_LISTEN_ADDR: `:${proxyPort}`,
      LOG_LEVEL: 'ERROR',
      ACEXY_LOG_LEVEL: 'ERROR',
      ...ENGINES,
    },
  });
  npm.stdout.resume();
  // npm exits before the services: the pipe closes when all of them have ended.
  const ended = once(npm, 'close');
  return {
    ports: { orchestrator: apiPort, proxy: proxyPort },
    firstByte: () => until('the first byte', () => timeOf(`http://127.0.0.1:${proxyPort}/ace/getstream?id=${contentId(1)}`, 1)),
    async stop() {
      process.kill(-npm.pid, 'SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The process that listens for a service: its entry point is in its command line. */
function processOf(name, { ports }) {
  const entry = path.join('apps', name, 'dist/main.js');
  const port = String(ports[name]);
  const setting = name === 'proxy' ? `ACEXY_LISTEN_ADDR=:${port}` : `APP_PORT=${port}`;
  const pid = readdirSync('/proc').find((id) => {
    try {
      return (
        readFileSync(`/proc/${id}/cmdline`, 'utf8').includes(entry) &&
        readFileSync(`/proc/${id}/environ`, 'utf8').split('\0').includes(setting)
      );
    } catch {
      return false; // not a process, or it has ended
    }
  });
  if (pid === undefined) throw new Error(`no process of the ${name} on port ${port}`);
  return Number(pid);
}

async function checkHealth(name, port) {
  const check = spawn('bash', [HEALTH_CHECK, name], {
    stdio: 'inherit',
    env: { PATH: process.env.PATH, APP_PORT: port, ACEXY_LISTEN_ADDR: `:${port}` },
  });
  const [status] = await once(check, 'exit');
  if (status !== 0) throw new Error(`the health check of the ${name} failed`);
}

const ours = [];
const alone = [];
const idle = Object.fromEntries(SERVICES.map((name) => [name, {}]));
for (let turn = 0; turn < rounds; turn += 1) {
  const engineAt = performance.now();
  const engine = await Engine.start(ENGINES);
  await engine.timeOfStart(contentId(2), 1);
  alone.push(performance.now() - engineAt);
  await engine.stop();

  const startedAt = performance.now();
  const services = await startAll();
  try {
    const { leave } = await services.firstByte();
    ours.push(performance.now() - startedAt);
    await leave();
    if (turn < rounds - 1) continue;
    await pause(CALM_DOWN_MS);
    const pids = Object.fromEntries(SERVICES.map((name) => [name, processOf(name, services)]));
    const usage = () => SERVICES.map((name) => usageOf(pids[name]).seconds);
    const before = usage();
    const checksBefore = secondsOfEndedChildren();
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      for (const name of SERVICES) await checkHealth(name, String(services.ports[name]));
      await pause(HEALTH_CHECK_MS);
    }
    const checkSeconds = (secondsOfEndedChildren() - checksBefore) / SERVICES.length;
    const after = usage();
    const measuredSeconds = (performance.now() - end) / 1000 + seconds;
    SERVICES.forEach((name, index) => {
      idle[name] = {
        cpuPercent: (100 * (after[index] - before[index] + checkSeconds)) / measuredSeconds,
        megabytes: usageOf(pids[name]).megabytes,
      };
    });
  } finally {
    await services.stop();
  }
}

const median = (values) => percentile(values, 0.5) / 1000;
const extra = median(ours) - median(alone);
await finish({
  benchmark: 'start-up',
  parameters: { rounds, seconds },
  rows: [
    {
      what: '`npm start` to the first byte, median',
      ours: `${round(median(ours), 2)} s`,
      other: `an engine alone ${round(median(alone), 2)} s, difference ${round(extra, 2)} s`,
      ratio: round(median(ours) / median(alone), 2),
      goal: `+${GOAL.startSeconds} s`,
      met: extra <= GOAL.startSeconds,
    },
    ...SERVICES.flatMap((name) => [
      {
        what: `Idle ${name}, processor time with its health checks`,
        ours: `${round(idle[name].cpuPercent, 2)} % of a core`,
        goal: `${GOAL.cpuPercent} %`,
        met: idle[name].cpuPercent < GOAL.cpuPercent,
      },
      {
        what: `Idle ${name}, memory (RSS)`,
        ours: `${Math.round(idle[name].megabytes)} MB`,
        goal: `${GOAL.megabytes} MB`,
        met: idle[name].megabytes <= GOAL.megabytes,
      },
    ]),
  ],
  details: { oursSeconds: ours.map((ms) => round(ms / 1000, 2)), aloneSeconds: alone.map((ms) => round(ms / 1000, 2)), idle },
  save,
});
