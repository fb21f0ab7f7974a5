import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SILENT_LOG } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { describeEngineRuntime, record } from '../../../../../test/doubles/orchestrator/engine-runtime.contract.js';
import { isAlive, processOf } from './process-identity.js';
import { ProcessRuntime } from './process-runtime.js';
import {
  environmentOf,
  pidOf,
  remainingWith,
  surroundings,
  tinySpec,
  turn,
  untilFree,
  within,
} from '../../../../../test/doubles/orchestrator/process-runtime.fixture.js';

describeEngineRuntime('the process runtime', surroundings);

describe('engines as local processes', () => {
  const never = new AbortController().signal;

  it('an engine that does not end by TERM is killed after its grace, with all it has started', async () => {
    await within(async ({ runtime, dataDir }) => {
      const engine = await runtime.start(tinySpec('stubborn'), never);
      await environmentOf(engine.port);
      const asked = performance.now();
      await runtime.remove(engine.id, 300);
      expect(performance.now() - asked).toBeGreaterThanOrEqual(290);
      expect(await remainingWith(dataDir)).toEqual([]);
    });
  });

  it('what an engine has started ends with the engine', async () => {
    await within(async (its) => {
      const engine = await its.runtime.start(tinySpec('parent'), never);
      await environmentOf(engine.port);
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
    await within(async ({ commandFor, runtime }) => {
      await runtime.close();
      const misled = commandFor('/no/such/engine {http_port}');
      await misled.open();
      await expect(misled.start(tinySpec(), never)).rejects.toThrow('exit code 127');
    });
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
    const runtime = new ProcessRuntime({ dataDir: join(import.meta.filename, 'data'), engineCommand: 'true' }, SILENT_LOG);
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
});
