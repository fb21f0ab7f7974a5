/** A process runtime in its own folder, with a tiny real engine. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SILENT_LOG } from '@acexy/service-kit';
import { expect } from 'vitest';
import type { EngineSpec } from '../../../apps/orchestrator/src/runtime/engine-runtime.js';
import type { RuntimeUnderTest } from './engine-runtime.contract.js';
import { isAlive, processOf } from '../../../apps/orchestrator/src/runtime/process/process-identity.js';
import { ProcessRuntime } from '../../../apps/orchestrator/src/runtime/process/process-runtime.js';

/** Listens on its HTTP port; TINY_MODE makes it misbehave. */
const LISTENER = `
const { createServer } = require('node:http');
const { spawn } = require('node:child_process');
if (process.env.TINY_MODE === 'stubborn') process.on('SIGTERM', () => {});
if (process.env.TINY_MODE === 'parent') spawn('sleep', ['600'], { stdio: 'ignore' });
createServer((request, response) => response.end(JSON.stringify(process.env))).listen(Number(process.argv[2]), '0.0.0.0');
`;

/** Failures at the start happen in the shell: on a busy machine Node may fail only after the engine counts as running. */
const TINY_ENGINE = `
case $TINY_MODE in
  fail) echo 'no such mode' >&2; exit 3 ;;
  port) echo "Error: listen EADDRINUSE: address already in use 0.0.0.0:$1" >&2; exit 1 ;;
esac
exec "$3" "$4" "$1"
`;

/** Test files run in parallel processes: each has its own 200 ports, below the ephemeral ports. */
let nextPort = 23_000 + (process.pid % 45) * 200;

export function tinySpec(mode = ''): EngineSpec {
  const http = (nextPort += 4);
  return {
    name: `tiny-${http}`,
    kind: 'acestream',
    env: { TINY_MODE: mode },
    labels: { 'acestream-orchestrator': 'true' },
    ports: { http, https: http + 1, api: http + 2, p2p: http + 3 },
  };
}

/** The running processes whose command line contains the text. */
function processesWith(text: string): string[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,stat=,args='], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes(text) && !/^\s*\d+\s+Z/.test(line));
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

export async function pidOf(dataDir: string, id: string, of: 'engine' | 'guard'): Promise<number> {
  return Number((await readFile(join(dataDir, 'engines', id, of), 'utf8')).split(' ')[0]);
}

export interface ProcessRuntimeFixture extends RuntimeUnderTest {
  dataDir: string;
  /** Creates another runtime for the same folder, with another command. */
  createWith(engineCommand: string): ProcessRuntime;
}

export async function createFixture(): Promise<ProcessRuntimeFixture> {
  const dataDir = await mkdtemp(join(tmpdir(), 'process-runtime-'));
  const script = join(dataDir, 'tiny-engine.sh');
  const listener = join(dataDir, 'listener.cjs');
  await Promise.all([writeFile(script, TINY_ENGINE), writeFile(listener, LISTENER)]);
  const runtimes: ProcessRuntime[] = [];
  const createWith = (engineCommand: string): ProcessRuntime => {
    const created = new ProcessRuntime({ dataDir, engineCommand }, SILENT_LOG);
    runtimes.push(created);
    return created;
  };
  const createNext = () => createWith(`/bin/sh "${script}" {http_port} {state_dir} "${process.execPath}" "${listener}"`);
  const runtime = createNext();
  await runtime.open();
  return {
    dataDir,
    createWith,
    runtime,
    createNext,
    spec: () => tinySpec(),
    failingSpec: () => tinySpec('fail'),
    kill: async ({ id }) => {
      const guard = await processOf(await pidOf(dataDir, id, 'guard'));
      process.kill(await pidOf(dataDir, id, 'engine'), 'SIGKILL');
      while (guard && (await isAlive(guard))) await turn();
    },
    occupy: async (port) => {
      const server = createServer().listen(port, '127.0.0.1');
      await once(server, 'listening');
      return async () => {
        server.close();
        await once(server, 'close');
      };
    },
    leftovers: async () => [...(await remainingWith(dataDir)), ...(await readdir(join(dataDir, 'engines')))],
    dispose: async () => {
      for (const one of runtimes) await one.close();
      const last = createNext();
      await last.open();
      for (const { id } of await last.list()) await last.remove(id, 0);
      await last.close();
      expect(await remainingWith(dataDir)).toEqual([]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The processes with `text` that remain when killed processes have had time to end. */
export async function remainingWith(text: string): Promise<string[]> {
  const end = performance.now() + 3000;
  for (;;) {
    const left = processesWith(text);
    if (left.length === 0 || performance.now() > end) return left;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Runs one test with a fixture and disposes of it. */
export async function withProcessRuntime<T>(work: (fixture: ProcessRuntimeFixture) => Promise<T>): Promise<T> {
  const fixture = await createFixture();
  try {
    return await work(fixture);
  } finally {
    await fixture.dispose();
  }
}

/** Resolves when no server listens on the port. */
export async function untilFree(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const refused = await once(socket, 'connect').then(
      () => false,
      () => true,
    );
    socket.destroy();
    if (refused) return;
  }
}

/** The environment of the tiny engine, as soon as it listens. */
export async function environmentOf(port: number): Promise<Record<string, string>> {
  for (let tries = 0; ; tries += 1) {
    try {
      return (await (await fetch(`http://127.0.0.1:${port}`)).json()) as Record<string, string>;
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
