/** The proxies that fan-out.mjs compares. Each starts a process in front of the source and returns it with the port that viewers use. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, until } from './bench.mjs';
import { CACHE, JsonProgram, nativeTool } from './native.mjs';

const PROXY = fileURLToPath(new URL('../../apps/proxy/dist/main.js', import.meta.url));
const LOOP_DELAY = new URL('./loop-delay.mjs', import.meta.url).href;
/** The buffers count as full when they grow by less than this in one wait. */
const FULL_GROWTH = 1.005;
const FULL_WAIT_MS = 2000;
const FULL_LIMIT_MS = 90_000;

/** acexy, built by hand: see bench/README.md. */
export const ACEXY = process.env.BENCH_ACEXY ?? path.join(CACHE, 'acexy');

async function stopService(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** The proxy as users run it, with default settings, on one engine: the source. */
export class OurProxy {
  static async start({ sourcePort, env = {} }) {
    const proxy = new OurProxy();
    [proxy.port] = await freePorts(1);
    proxy.folder = mkdtempSync(path.join(os.tmpdir(), 'bench-proxy-'));
    proxy.delayFile = path.join(proxy.folder, 'loop-delay.json');
    proxy.child = spawn(process.execPath, ['--import', LOOP_DELAY, PROXY], {
      cwd: proxy.folder,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: process.env.PATH,
        LOOP_DELAY_FILE: proxy.delayFile,
        ACEXY_LISTEN_ADDR: `:${proxy.port}`,
        ACEXY_HOST: '127.0.0.1',
        ACEXY_PORT: String(sourcePort),
        ACEXY_LOG_LEVEL: 'ERROR',
        ...env,
      },
    });
    proxy.pid = proxy.child.pid;
    await until('the proxy is ready', async () => (await fetch(`http://127.0.0.1:${proxy.port}/health/ready`)).ok);
    return proxy;
  }

  async #bufferedBytes() {
    const metrics = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
    return Number(/^acexy_buffer_bytes (\S+)/m.exec(metrics)?.[1] ?? 0);
  }

  /** Resolves when the buffers of all streams are full. */
  async settled() {
    let before = 0;
    await until(
      'the buffers are full',
      async () => {
        const bytes = await this.#bufferedBytes();
        const full = bytes > 0 && bytes < before * FULL_GROWTH;
        before = bytes;
        return full;
      },
      FULL_WAIT_MS,
      FULL_LIMIT_MS,
    );
  }

  /** Delay of the event loop since the call before, in milliseconds. */
  async loopDelayMs() {
    rmSync(this.delayFile, { force: true });
    this.child.kill('SIGUSR2');
    await until('the delay of the event loop', async () => existsSync(this.delayFile));
    return JSON.parse(readFileSync(this.delayFile, 'utf8'));
  }

  async stop() {
    await stopService(this.child);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The epoll loop in bench/native, with writes of this size. */
export async function startReference({ sourcePort, streams, writeBytes }) {
  const program = new JsonProgram(nativeTool('fan-out'), ['-s', sourcePort, '-n', streams, '-w', writeBytes]);
  const { port } = await program.next();
  return { port, pid: program.pid, stop: () => program.stop() };
}

/** acexy with default settings. */
export async function startAcexy({ sourcePort }) {
  const [port] = await freePorts(1);
  const child = spawn(ACEXY, [], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH, ACEXY_LISTEN_ADDR: `127.0.0.1:${port}`, ACEXY_HOST: '127.0.0.1', ACEXY_PORT: String(sourcePort) },
  });
  await until('acexy answers', async () => (await fetch(`http://127.0.0.1:${port}/ace/status`)).ok);
  return { port, pid: child.pid, stop: () => stopService(child) };
}
