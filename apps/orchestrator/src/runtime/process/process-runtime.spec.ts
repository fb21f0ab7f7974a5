import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SILENT_LOG } from '@acexy/service-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineSpec } from '../engine-runtime.js';
import { describeEngineRuntime, record, type RuntimeUnderTest } from '../engine-runtime.test-kit.js';
import { isAlive, processOf } from './process-identity.js';
import { ProcessRuntime } from './process-runtime.js';

/** A tiny engine: listens on its HTTP port; misbehaves by environment. */
const ENGINE = `
const { createServer } = require('node:http');
const { spawn } = require('node:child_process');
const mode = process.env.TINY_MODE;
if (mode === 'fail') { console.error('no such mode'); process.exit(3); }
if (mode === 'port') { console.error('Error: listen EADDRINUSE: address already in use 0.0.0.0:' + process.argv[2]); process.exit(1); }
if (mode === 'stubborn') process.on('SIGTERM', () => {});
if (mode === 'parent') spawn('sleep', ['600'], { stdio: 'ignore' });
createServer((request, response) => response.end(JSON.stringify(process.env))).listen(Number(process.argv[2]), '0.0.0.0');
`;

let folder: string;
let script: string;
let nextPort = 27_000 + (process.pid % 100) * 20;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'process-runtime-'));
  script = join(folder, 'tiny-engine.cjs');
  await writeFile(script, ENGINE);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function tinySpec(mode = ''): EngineSpec {
  const http = (nextPort += 4);
  return {
    name: `tiny-${http}`,
    kind: 'acestream',
    env: { TINY_MODE: mode },
    labels: { 'acestream-orchestrator': 'true' },
    ports: { http, https: http + 1, api: http + 2, p2p: http + 3 },
  };
}

/** The processes whose command line has the text. */
function processesWith(text: string): string[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,stat=,args='], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes(text) && !/^\s*\d+\s+Z/.test(line));
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

async function pidOf(dataDir: string, id: string, of: 'engine' | 'guard'): Promise<number> {
  return Number((await readFile(join(dataDir, 'engines', id, of), 'utf8')).split(' ')[0]);
}

async function surroundings(): Promise<RuntimeUnderTest & { dataDir: string }> {
  const dataDir = await mkdtemp(join(folder, 'data-'));
  const runtimes: ProcessRuntime[] = [];
  const another = (): ProcessRuntime => {
    const runtime = new ProcessRuntime({ dataDir, engineCommand: `"${process.execPath}" "${script}" {http_port} {state_dir}` }, SILENT_LOG);
    runtimes.push(runtime);
    return runtime;
  };
  const runtime = another();
  await runtime.open();
  return {
    dataDir,
    runtime,
    another,
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
    leftovers: async () => [...processesWith(dataDir), ...(await readdir(join(dataDir, 'engines')))],
    dispose: async () => {
      for (const one of runtimes) await one.close();
      const last = another();
      await last.open();
      for (const { id } of await last.list()) await last.remove(id, 0);
      await last.close();
      expect(processesWith(dataDir)).toEqual([]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

describeEngineRuntime('the process runtime', surroundings);

describe('engines as local processes', () => {
  const never = new AbortController().signal;

  async function within<T>(work: (its: Awaited<ReturnType<typeof surroundings>>) => Promise<T>): Promise<T> {
    const its = await surroundings();
    try {
      return await work(its);
    } finally {
      await its.dispose();
    }
  }

  it('a second orchestrator on the same DATA_DIR is refused by name, and may start when the first has closed', async () => {
    await within(async ({ runtime, another, dataDir }) => {
      const second = another();
      await expect(second.open()).rejects.toMatchObject({
        code: 'data_dir_in_use',
        message: expect.stringContaining(`DATA_DIR ${dataDir}`),
      });
      await runtime.close();
      await expect(second.open()).resolves.toBeUndefined();
    });
  });

  it('a killed orchestrator leaves a lock that nobody has to remove', async () => {
    await within(async ({ runtime, another, dataDir }) => {
      await runtime.close();
      const dead = spawn(process.execPath, ['-e', '']);
      await once(dead, 'exit');
      await writeFile(join(dataDir, 'lock.7'), `${dead.pid} some-boot:123\n`);
      // The pid lives on as another process, as happens.
      await writeFile(join(dataDir, 'lock.8'), `${process.pid} some-boot:123\n`);
      await expect(another().open()).resolves.toBeUndefined();
      expect((await readdir(dataDir)).filter((name) => name.startsWith('lock.'))).toEqual(['lock.9']);
    });
  });

  it('of ten orchestrators that start at the same moment on a dead lock, one gets the folder', async () => {
    await within(async ({ runtime, another, dataDir }) => {
      await runtime.close();
      await writeFile(join(dataDir, 'lock.3'), '999999 some-boot:1\n');
      const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => another().open()));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });
  });

  it('an engine that does not end by TERM is killed after its grace, with all it has started', async () => {
    await within(async ({ runtime, dataDir }) => {
      const engine = await runtime.start(tinySpec('stubborn'), never);
      const asked = performance.now();
      await runtime.remove(engine.id, 300);
      expect(performance.now() - asked).toBeGreaterThanOrEqual(290);
      expect(processesWith(dataDir)).toEqual([]);
    });
  });

  it('what an engine has started ends with the engine', async () => {
    await within(async (its) => {
      const engine = await its.runtime.start(tinySpec('parent'), never);
      const group = String(await pidOf(its.dataDir, engine.id, 'guard'));
      const members = () =>
        execFileSync('ps', ['-eo', 'pgid=,stat=,args='], { encoding: 'utf8' })
          .split('\n')
          .filter((line) => line.trim().startsWith(`${group} `) && !/^\s*\d+\s+Z/.test(line));
      expect(members().some((line) => line.includes('sleep 600'))).toBe(true);
      const events = record(its.runtime);
      await its.kill(engine);
      await events.until(({ type }) => type === 'died');
      expect(members()).toEqual([]);
    });
  });

  it('an engine whose guard was killed is ended, and listed as dead', async () => {
    await within(async ({ runtime, dataDir }) => {
      const engine = await runtime.start(tinySpec(), never);
      const events = record(runtime);
      process.kill(await pidOf(dataDir, engine.id, 'guard'), 'SIGKILL');
      await events.until(({ type }) => type === 'died');
      expect(await runtime.list()).toMatchObject([{ state: 'exited', exitCode: null }]);
      await expect(fetch(`http://127.0.0.1:${engine.port}`)).rejects.toThrow();
    });
  });

  it('the exit code of an engine is told, of one that was taken over too', async () => {
    await within(async (its) => {
      const engine = await its.runtime.start(its.spec(), never);
      await its.runtime.close();
      const next = its.another();
      await next.open();
      const events = record(next);
      await its.kill(engine);
      await events.until(({ type }) => type === 'died');
      expect(await next.list()).toMatchObject([{ id: engine.id, exitCode: 137 }]);
    });
  });

  it('a pid that is used again by another process is not taken for the engine, and not killed', async () => {
    await within(async (its) => {
      const engine = await its.runtime.start(its.spec(), never);
      await its.runtime.close();
      const stranger = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
      await once(stranger, 'spawn');
      process.kill(-(await pidOf(its.dataDir, engine.id, 'guard')), 'SIGKILL');
      const note = join(its.dataDir, 'engines', engine.id, 'guard');
      const started = (await readFile(note, 'utf8')).split(' ')[1];
      await writeFile(note, `${stranger.pid} ${started}`);
      const next = its.another();
      await next.open();
      expect(await next.list()).toEqual([]);
      expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
      stranger.kill('SIGKILL');
      await once(stranger, 'exit');
    });
  });

  it('hands an engine no key of ours, but the settings of the simulator and its own', async () => {
    process.env.API_KEY = 'do-not-tell';
    process.env.SIM_TEST_KNOB = 'on';
    try {
      await within(async ({ runtime }) => {
        const engine = await runtime.start(tinySpec(), never);
        const seen = await environmentOf(engine.port);
        expect(seen).toMatchObject({ SIM_TEST_KNOB: 'on', TINY_MODE: '', PATH: process.env.PATH });
        expect(JSON.stringify(seen)).not.toContain('do-not-tell');
      });
    } finally {
      delete process.env.API_KEY;
      delete process.env.SIM_TEST_KNOB;
    }
  });

  it('takes no variable from a request that decides which program runs', async () => {
    await within(async ({ runtime, leftovers }) => {
      const spec = { ...tinySpec(), env: { NODE_OPTIONS: '--require /tmp/other.cjs' } };
      await expect(runtime.start(spec, never)).rejects.toThrow('NODE_OPTIONS');
      expect(await leftovers()).toEqual([]);
    });
  });

  it('says what an engine said last when it ended at once', async () => {
    await within(async ({ runtime }) => {
      await expect(runtime.start(tinySpec('fail'), never)).rejects.toThrow('exit code 3: no such mode');
    });
  });

  it('says so when the command does not exist', async () => {
    const dataDir = await mkdtemp(join(folder, 'data-'));
    const runtime = new ProcessRuntime({ dataDir, engineCommand: '/no/such/engine {http_port}' }, SILENT_LOG);
    await runtime.open();
    await expect(runtime.start(tinySpec(), never)).rejects.toThrow('exit code 127');
    await runtime.close();
  });

  it('takes an engine that ends at once because of a port for a port that is taken', async () => {
    await within(async ({ runtime, leftovers }) => {
      const spec = tinySpec('port');
      await expect(runtime.start(spec, never)).rejects.toMatchObject({ code: 'port_taken', port: spec.ports.http });
      expect(await leftovers()).toEqual([]);
    });
  });

  it('sees a P2P port that only UDP holds', async () => {
    await within(async ({ runtime }) => {
      const spec = tinySpec();
      const socket = createSocket('udp4').bind(spec.ports.p2p);
      await once(socket, 'listening');
      await expect(runtime.start(spec, never)).rejects.toMatchObject({ code: 'port_taken', port: spec.ports.p2p });
      socket.close();
      await once(socket, 'close');
    });
  });

  it.each([1, 10, 40, 100, 200])('leaves nothing behind of a start that is given up after %i ms', async (ms) => {
    await within(async ({ runtime, leftovers }) => {
      await expect(runtime.start(tinySpec(), AbortSignal.timeout(ms))).rejects.toMatchObject({ name: 'TimeoutError' });
      expect(await leftovers()).toEqual([]);
    });
  });

  it('says so, and leaves nothing behind, when its folder cannot be written', async () => {
    await within(async ({ runtime, dataDir, leftovers }) => {
      const engines = join(dataDir, 'engines');
      await rm(engines, { recursive: true });
      await writeFile(engines, 'a file where the folder should be');
      await expect(runtime.start(tinySpec(), never)).rejects.toMatchObject({
        code: 'runtime_failed',
        message: expect.stringContaining(dataDir),
      });
      await rm(engines);
      await mkdir(engines);
      expect(await leftovers()).toEqual([]);
    });
  });

  it('says that DATA_DIR cannot be used, and why', async () => {
    const runtime = new ProcessRuntime({ dataDir: join(script, 'data'), engineCommand: 'true' }, SILENT_LOG);
    await expect(runtime.open()).rejects.toMatchObject({
      code: 'runtime_failed',
      message: expect.stringMatching(/^DATA_DIR .* cannot be used: ENOTDIR/),
    });
  });

  it('ends an engine that it finds without its guard', async () => {
    await within(async (its) => {
      const engine = await its.runtime.start(its.spec(), never);
      const guard = await processOf(await pidOf(its.dataDir, engine.id, 'guard'));
      await its.runtime.close();
      process.kill(guard?.pid as number, 'SIGKILL');
      while (guard && (await isAlive(guard))) await turn();
      const next = its.another();
      await next.open();
      expect(await next.list()).toEqual([]);
      await untilFree(engine.port);
      expect(await its.leftovers()).toEqual([]);
    });
  });

  it('clears what a kill in the middle of a start has left', async () => {
    await within(async (its) => {
      await its.runtime.close();
      // Folder, but no guard yet; folder without a record; a clearing that was cut off.
      for (const name of ['aaaaaaaaaaaa', 'bbbbbbbbbbbb', '.gone-cccccccccccc']) {
        execFileSync('mkdir', ['-p', join(its.dataDir, 'engines', name, 'state')]);
      }
      await writeFile(
        join(its.dataDir, 'engines', 'aaaaaaaaaaaa', 'engine.json'),
        JSON.stringify({ id: 'aaaaaaaaaaaa', spec: its.spec(), createdAt: 1 }),
      );
      const next = its.another();
      await next.open();
      expect(await next.list()).toEqual([]);
      expect(await its.leftovers()).toEqual([]);
    });
  });

  it('a guard that comes too late to make its note starts no engine', async () => {
    await within(async (its) => {
      const guard = spawn(
        '/bin/sh',
        [
          join(import.meta.dirname, 'engine-guard.sh'),
          join(its.dataDir, 'engines', 'taken-away'),
          join(its.dataDir, 'heartbeat'),
          '1',
          '5',
          'touch',
          join(its.dataDir, 'ran'),
        ],
        { detached: true, stdio: 'ignore' },
      );
      await once(guard, 'exit');
      expect(existsSync(join(its.dataDir, 'ran'))).toBe(false);
    });
  });

  it('an engine ends by itself when the heartbeat stands still, and not before', async () => {
    await within(async (its) => {
      const note = join(its.dataDir, 'engines', 'alone');
      execFileSync('mkdir', ['-p', note]);
      const heartbeat = join(its.dataDir, 'other-heartbeat');
      await writeFile(heartbeat, '1\n');
      const guard = spawn('/bin/sh', [join(import.meta.dirname, 'engine-guard.sh'), note, heartbeat, '0.1', '5', 'sleep', '600'], {
        detached: true,
        stdio: 'ignore',
      });
      const ended = once(guard, 'exit');
      for (let beat = 2; beat < 12; beat += 1) {
        await writeFile(heartbeat, `${beat}\n`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(guard.exitCode ?? guard.signalCode).toBeNull();
      await ended;
      expect(await readFile(join(note, 'exit'), 'utf8')).toBe('143\n');
      expect(await readdir(note)).not.toContain('guard');
    });
  });
});

async function untilFree(port: number): Promise<void> {
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

async function environmentOf(port: number): Promise<Record<string, string>> {
  for (let tries = 0; ; tries += 1) {
    try {
      return (await (await fetch(`http://127.0.0.1:${port}`)).json()) as Record<string, string>;
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
