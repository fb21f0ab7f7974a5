/**
 * Measures how long a viewer waits when no engine runs: through proxy and orchestrator (lease, container, boot, session, first bytes), and by hand
 * (`docker run` of the same image, boot, session, first bytes). The two take turns in one run.
 *
 *   npm run image:simulator && npm run bench:cold-start -- [--rounds 8] [--boot 2000] [--save]
 *
 * The image is the engine simulator with a boot time of --boot milliseconds, for both sides. Ours starts with an empty pool (MIN_REPLICAS=0) and one
 * request to the proxy. By hand, the engine is asked every 20 ms whether it answers.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine, pause } from './support/bench.mjs';

const options = parseArgs({
  options: {
    rounds: { type: 'string', default: '8' },
    boot: { type: 'string', default: '2000' },
    save: { type: 'boolean', default: false },
  },
}).values;
const rounds = Number(options.rounds);
const bootMs = Number(options.boot);

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const IMAGE = 'acestream-engine-simulator-cold-start:bench';
const KEY = 'key-of-the-benchmark';
/** The first bytes with which a player can start. */
const ENOUGH_BYTES = 100_000;
const GOAL_MS = 300;

const docker = (...args) => execFileSync('docker', args, { encoding: 'utf8' }).trim();

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function until(what, condition, everyMs, limitMs = 60_000) {
  const end = performance.now() + limitMs;
  for (;;) {
    const value = await condition().catch(() => null); // not yet; the limit below reports a condition that never becomes true
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await pause(everyMs);
  }
}

/** Reads a stream until a player can start. */
async function firstBytes(url) {
  const abort = new AbortController();
  const response = await fetch(url, { signal: abort.signal });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes >= ENOUGH_BYTES) break;
  }
  abort.abort();
  if (bytes < ENOUGH_BYTES) throw new Error(`${url} ended after ${bytes} bytes`);
}

const contentId = (index) => index.toString(16).padStart(40, 'c');

/** By hand: the steps that every orchestrator needs. */
async function byHand(index) {
  const [port] = await freePorts(1);
  const startedAt = performance.now();
  const id = docker(
    'run',
    '-d',
    '--restart',
    'unless-stopped',
    '-p',
    `${port}:${port}`,
    '-e',
    `HTTP_PORT=${port}`,
    '-e',
    'BIND_ALL=true',
    IMAGE,
  );
  try {
    const engine = `http://127.0.0.1:${port}`;
    await until('the engine answers', async () => (await fetch(`${engine}/webui/api/service?method=get_version`)).ok, 20);
    const session = await fetch(`${engine}/ace/getstream?format=json&id=${contentId(index)}&pid=bench-${index}`);
    const { response, error } = await session.json();
    if (error) throw new Error(error);
    await firstBytes(response.playback_url);
    return performance.now() - startedAt;
  } finally {
    docker('rm', '-f', id);
  }
}

class Pair {
  constructor(apiPort, proxyPort) {
    this.api = `http://127.0.0.1:${apiPort}`;
    this.proxy = `http://127.0.0.1:${proxyPort}`;
    this.folder = mkdtempSync(path.join(os.tmpdir(), 'cold-start-'));
    const service = (name, env) =>
      spawn(process.execPath, [path.join(ROOT, 'apps', name, 'dist/main.js')], {
        cwd: this.folder,
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { PATH: process.env.PATH, ...(process.env.DOCKER_HOST && { DOCKER_HOST: process.env.DOCKER_HOST }), ...env },
      });
    this.processes = [
      service('orchestrator', {
        APP_PORT: String(apiPort),
        API_KEY: KEY,
        ENGINE_RUNTIME: 'docker',
        TARGET_IMAGE: IMAGE,
        IMAGE_PULL: 'never',
        MIN_REPLICAS: '0',
        ENGINE_GRACE_PERIOD_S: '0',
        STOP_ENGINES_ON_EXIT: 'true',
      }),
      service('proxy', { ACEXY_LISTEN_ADDR: `:${proxyPort}`, ACEXY_ORCH_URL: this.api, ACEXY_ORCH_APIKEY: KEY, ACEXY_LINGER: '0s' }),
    ];
  }

  static async start() {
    const pair = new Pair(...(await freePorts(2)));
    await until(
      'the pair is ready',
      async () => (await fetch(`${pair.api}/health/ready`)).ok && (await fetch(`${pair.proxy}/health/ready`)).ok,
      50,
    );
    return pair;
  }

  async throughThePair(index) {
    await until('an empty pool', async () => (await (await fetch(`${this.api}/engines?state=all`)).json()).length === 0, 50);
    const startedAt = performance.now();
    await firstBytes(`${this.proxy}/ace/getstream?id=${contentId(index)}`);
    return performance.now() - startedAt;
  }

  async stop() {
    for (const child of this.processes.reverse()) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const round = (value, digits = 0) => Number(value.toFixed(digits));

execFileSync('docker', ['build', '-q', '-t', IMAGE, '-'], {
  input: `FROM acestream-engine-simulator:latest\nENV SIM_BOOT_MS=${bootMs} SIM_PREBUF_MS=200\n`,
  stdio: ['pipe', 'ignore', 'inherit'],
});
const pair = await Pair.start();
const runs = [];
try {
  for (let index = 0; index < rounds; index += 1) {
    const run = { byHandMs: round(await byHand(2 * index)), pairMs: round(await pair.throughThePair(2 * index + 1)) };
    runs.push(run);
    console.log(`round ${index + 1}: by hand ${run.byHandMs} ms, through the proxy ${run.pairMs} ms`);
  }
} finally {
  await pair.stop();
}

const byHandMs = median(runs.map((run) => run.byHandMs));
const pairMs = median(runs.map((run) => run.pairMs));
const result = {
  benchmark: 'cold-start',
  at: new Date().toISOString(),
  machine: { ...machine(), docker: docker('version', '-f', '{{.Server.Version}}') },
  parameters: { rounds, bootMs },
  runs,
  medianMs: { byHand: byHandMs, pair: pairMs },
  onTopMs: pairMs - byHandMs,
  ratio: round(pairMs / byHandMs, 3),
};
console.log(
  `\nmedian: ${pairMs} ms through the pair, ${byHandMs} ms by hand: ${result.onTopMs} ms on top, ratio ${result.ratio} (goal: at most ${GOAL_MS} ms on top)`,
);
if (options.save) {
  const folder = new URL('./results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  await writeFile(new URL(`cold-start-boot-${bootMs}.json`, folder), `${JSON.stringify(result, null, 2)}\n`);
}
process.exitCode = result.onTopMs <= GOAL_MS ? 0 : 1;
