/**
 * Measures what proxy and orchestrator add when a hundred viewers ask for a hundred different contents at the same moment, on ready engines, compared
 * with asking the same engines directly.
 *
 *   npm run build && node bench/start-many.mjs [--streams 100] [--rounds 10] [--save]
 *
 * The two take turns. Viewers stay until the last of them has its first byte. All engines run in one process; each answers after 50 ms and has a picture
 * of 3.5 Mb/s after another 200 ms. The orchestrator runs on a fake runtime, the proxy as users run it. The first round is shown apart: the services
 * have just started.
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { finish, freePorts, p50p95p99, pause, percentile, readOptions, round, signed, until } from './support/bench.mjs';
import { start } from './support/engine.mjs';
import { engineHost } from './support/engine-host.mjs';
import { contentId, timeOf } from './support/pair.mjs';
import { usageOf } from './support/processes.mjs';

const { streams, rounds, save } = readOptions({ streams: 100, rounds: 10 });
const GOAL_MS = 150;
const KEY = 'key-of-the-benchmark';
/** So that the burst at the start of a stream does not hide the starts of the others. */
const ENGINES = { SIM_PREBUF_MS: '200', SIM_ID_LOOKUP_MS: '0', SIM_BURST_SEC: '1' };
const PROXY = fileURLToPath(new URL('../apps/proxy/dist/main.js', import.meta.url));

const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-start-many-'));
const [enginePort, https, engineApi, p2p, proxyPort] = await freePorts(5);
const helper = (file) => fork(new URL(`./support/${file}`, import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
const engines = helper('engine-pool.mjs');
engines.send({ count: streams, ports: [enginePort, https, engineApi, p2p], env: ENGINES });
await once(engines, 'message');
const orchestrator = helper('fake-runtime-orchestrator.mjs');
orchestrator.send({ folder, count: streams, maximum: streams, key: KEY, enginePort });
const [{ port: apiPort }] = await once(orchestrator, 'message');
const api = `http://127.0.0.1:${apiPort}`;
const proxyUrl = `http://127.0.0.1:${proxyPort}`;
const proxy = spawn(process.execPath, [PROXY], {
  cwd: folder,
  stdio: ['ignore', 'ignore', 'inherit'],
  env: {
    PATH: process.env.PATH,
    ACEXY_LISTEN_ADDR: `:${proxyPort}`,
    ACEXY_ORCH_URL: api,
    ACEXY_ORCH_APIKEY: KEY,
    ACEXY_LINGER: '0s',
    ...(process.env.PROXY_NODE_OPTIONS && { NODE_OPTIONS: process.env.PROXY_NODE_OPTIONS }),
  },
});

const all = (begin) => Promise.all(Array.from({ length: streams }, (_, index) => begin(index)));
const untilFree = () =>
  until(`${streams} free engines`, async () => {
    const list = await (await fetch(`${api}/engines`)).json();
    return list.filter((engine) => engine.streams.length === 0 && engine.health_status === 'healthy').length >= streams;
  });

const direct = [];
const through = [];
const processes = { proxy, orchestrator, engines };
const cpuMs = ({ pid }) => 1000 * usageOf(pid).seconds;
const spent = Object.fromEntries(Object.keys(processes).map((name) => [name, 0]));
try {
  await until('the proxy is ready', async () => (await fetch(`${proxyUrl}/health/ready`)).ok);
  for (let turn = 0; turn < rounds; turn += 1) {
    await untilFree();
    const alone = await all((index) => start(`http://${engineHost(index)}:${enginePort}`, contentId(2 * (turn * streams + index)), 1));
    direct.push(alone);
    await Promise.all(alone.map(({ leave }) => leave()));
    await pause(500);
    for (const name in processes) spent[name] -= cpuMs(processes[name]);
    const viewers = await all((index) => timeOf(`${proxyUrl}/ace/getstream?id=${contentId(2 * (turn * streams + index) + 1)}`, 1));
    for (const name in processes) spent[name] += cpuMs(processes[name]);
    through.push(viewers);
    await Promise.all(viewers.map(({ leave }) => leave()));
  }
} finally {
  for (const child of [proxy, orchestrator, engines]) {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
}

const firstBytes = (turns) => turns.flat().map(({ firstMs }) => firstMs);
function row(what, turns, others, goal) {
  const ours = percentile(firstBytes(turns), 0.95);
  const other = percentile(firstBytes(others), 0.95);
  const extra = Math.round(ours - other);
  return {
    what: `${streams} starts at once, first byte, p95${what}`,
    ours: `${Math.round(ours)} ms`,
    other: `engines alone ${Math.round(other)} ms, difference ${signed(extra)} ms`,
    ratio: round(ours / other, 2),
    ...(goal && { goal: `+${goal} ms`, met: extra <= goal }),
  };
}
await finish({
  benchmark: 'start-many',
  parameters: { streams, rounds },
  rows: [
    row('', through.slice(1), direct.slice(1), GOAL_MS),
    row(', the first after the start of the services', through.slice(0, 1), direct.slice(0, 1)),
    {
      what: `CPU time for each of ${streams} starts at once`,
      ours: `${round((spent.proxy + spent.orchestrator) / streams / rounds, 1)} ms`,
      other: Object.entries(spent)
        .map(([name, ms]) => `${name} ${round(ms / streams / rounds, 1)} ms`)
        .join(', '),
    },
  ],
  details: { directMs: p50p95p99(firstBytes(direct)), throughMs: p50p95p99(firstBytes(through)) },
  save,
});
