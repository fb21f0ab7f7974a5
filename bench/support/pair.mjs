/** Orchestrator and proxy as users run them, on simulated engines, in their own folder. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, until } from './bench.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KEY = 'key-of-the-benchmark';
/** Ports that neither the tests nor a running installation use. */
const FIRST_PORT = 16_000;
const PORTS = 60;
export const CONTROL_OFFSET = 4 * PORTS;

export class Pair {
  constructor(apiPort, proxyPort, { orchestrator = {}, proxy = {}, engines = {} }) {
    this.api = `http://127.0.0.1:${apiPort}`;
    this.proxy = `http://127.0.0.1:${proxyPort}`;
    this.folder = mkdtempSync(path.join(os.tmpdir(), 'bench-pair-'));
    const service = (name, env) =>
      spawn(process.execPath, [path.join(ROOT, 'apps', name, 'dist/main.js')], {
        cwd: this.folder,
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { PATH: process.env.PATH, HOME: process.env.HOME, LOG_LEVEL: 'ERROR', ...env },
      });
    const range = (index) => `${FIRST_PORT + index * PORTS}-${FIRST_PORT + (index + 1) * PORTS - 1}`;
    this.processes = [
      service('orchestrator', {
        APP_PORT: String(apiPort),
        API_KEY: KEY,
        PORT_RANGE_HOST: range(0),
        ACE_HTTPS_RANGE: range(1),
        ACE_API_RANGE: range(2),
        ACE_P2P_RANGE: range(3),
        MIN_PROVISION_INTERVAL_S: '0.1',
        STOP_ENGINES_ON_EXIT: 'true',
        SIM_CONTROL_PORT: `+${CONTROL_OFFSET}`,
        ...engines,
        ...orchestrator,
      }),
      service('proxy', {
        ACEXY_LISTEN_ADDR: `:${proxyPort}`,
        ACEXY_ORCH_URL: this.api,
        ACEXY_ORCH_APIKEY: KEY,
        ACEXY_LINGER: '0s',
        ...proxy,
      }),
    ];
  }

  static async start(options = {}) {
    const pair = new Pair(...(await freePorts(2)), options);
    await until(
      'the pair is ready',
      async () => (await fetch(`${pair.api}/health/ready`)).ok && (await fetch(`${pair.proxy}/health/ready`)).ok,
    );
    return pair;
  }

  async engines() {
    return (await fetch(`${this.api}/engines`)).json();
  }

  /** Resolves when that many engines are free. */
  async untilFree(count) {
    return until(`${count} free engines`, async () => {
      const free = (await this.engines()).filter(({ streams, health_status: health }) => streams.length === 0 && health !== 'unhealthy');
      return free.length >= count && free;
    });
  }

  streamUrl(id) {
    return `${this.proxy}/ace/getstream?id=${id}`;
  }

  async stop() {
    for (const child of this.processes.reverse()) {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** One GET that reads until `leave`; `onData` gets every piece. */
export function watch(url, onData, startedAt = performance.now()) {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false }, (response) => {
      // An engine redirects its reader to another address.
      if (response.statusCode === 302) {
        response.resume();
        resolve(watch(new URL(response.headers.location, url), onData, startedAt));
        return;
      }
      if (response.statusCode !== 200) {
        response.resume();
        reject(new Error(`${url}: ${response.statusCode}`));
        return;
      }
      const closed = new Promise((done) => response.once('close', done));
      response.on('error', () => undefined); // `closed` reports every end
      response.on('data', (chunk) => onData(chunk, performance.now() - startedAt));
      resolve({
        closed,
        leave: () => {
          request.destroy();
          return closed;
        },
      });
    });
    request.once('error', reject);
  });
}

/** Milliseconds from the request to the first byte, and to `bytes`. */
export async function timeOf(url, bytes) {
  let first = null;
  let sum = 0;
  let enough;
  const done = new Promise((resolve) => (enough = resolve));
  const viewer = await watch(url, (chunk, ms) => {
    first ??= ms;
    sum += chunk.length;
    if (sum >= bytes) enough({ firstMs: first, enoughMs: ms });
  });
  const times = await Promise.race([done, viewer.closed.then(() => Promise.reject(new Error(`${url} ended after ${sum} bytes`)))]);
  return { ...times, leave: viewer.leave };
}

export const contentId = (index) => index.toString(16).padStart(40, 'c');
