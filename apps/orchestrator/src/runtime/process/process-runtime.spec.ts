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
  createFixture,
  environmentOf,
  pidOf,
  remainingWith,
  tinySpec,
  turn,
  untilFree,
  withProcessRuntime,
} from '../../../../../test/doubles/orchestrator/process-runtime.fixture.js';

describeEngineRuntime('the process runtime', createFixture);

describe('engines as local processes', () => {
  const never = new AbortController().signal;

  it('rejects a second orchestrator with the same DATA_DIR until the first one has closed', async () => {
    await withProcessRuntime(async ({ runtime, createNext, dataDir }) => {
      const second = createNext();
      await expect(second.open()).rejects.toMatchObject({
        code: 'data_dir_in_use',
        message: expect.stringMatching(
          new RegExp(`DATA_DIR ${dataDir} is in use by another orchestrator .process ${process.pid} on`),
        ) as string,
      });
      await runtime.close();
      await expect(second.open()).resolves.toBeUndefined();
    });
  });

  it('kills an engine that ignores SIGTERM after its grace period, with its child processes', async () => {
    await withProcessRuntime(async ({ runtime, dataDir }) => {
      const engine = await runtime.start(tinySpec('stubborn'), never);
      await environmentOf(engine.port);
      const asked = performance.now();
      await runtime.remove(engine.id, 300);
      expect(performance.now() - asked).toBeGreaterThanOrEqual(290);
      expect(await remainingWith(dataDir)).toEqual([]);
    });
  });

  it('the child processes of an engine end with the engine', async () => {
    await withProcessRuntime(async (fixture) => {
      const engine = await fixture.runtime.start(tinySpec('parent'), never);
      await environmentOf(engine.port);
      const group = String(await pidOf(fixture.dataDir, engine.id, 'guard'));
      const members = () =>
        execFileSync('ps', ['-eo', 'pgid=,stat=,args='], { encoding: 'utf8' })
          .split('\n')
          .filter((line) => line.trim().startsWith(`${group} `) && !/^\s*\d+\s+Z/.test(line));
      expect(members().some((line) => line.includes('sleep 600'))).toBe(true);
      const events = record(fixture.runtime);
      await fixture.kill(engine);
      await events.until(({ type }) => type === 'died');
      expect(members()).toEqual([]);
    });
  });

  it('stops an engine whose guard was killed, and lists it as exited', async () => {
    await withProcessRuntime(async ({ runtime, dataDir }) => {
      const engine = await runtime.start(tinySpec(), never);
      const events = record(runtime);
      process.kill(await pidOf(dataDir, engine.id, 'guard'), 'SIGKILL');
      await events.until(({ type }) => type === 'died');
      expect(await runtime.list()).toMatchObject([{ state: 'exited', exitCode: null }]);
      await expect(fetch(`http://127.0.0.1:${engine.port}`)).rejects.toThrow();
    });
  });

  it('reports the exit code of an engine, also of an adopted one', async () => {
    await withProcessRuntime(async (fixture) => {
      const engine = await fixture.runtime.start(fixture.spec(), never);
      await fixture.runtime.close();
      const next = fixture.createNext();
      await next.open();
      const events = record(next);
      await fixture.kill(engine);
      await events.until(({ type }) => type === 'died');
      expect(await next.list()).toMatchObject([{ id: engine.id, exitCode: 137 }]);
    });
  });

  it('neither adopts nor kills another process that has reused the pid', async () => {
    await withProcessRuntime(async (fixture) => {
      const engine = await fixture.runtime.start(fixture.spec(), never);
      await fixture.runtime.close();
      const other = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
      await once(other, 'spawn');
      process.kill(-(await pidOf(fixture.dataDir, engine.id, 'guard')), 'SIGKILL');
      const note = join(fixture.dataDir, 'engines', engine.id, 'guard');
      const started = (await readFile(note, 'utf8')).split(' ')[1];
      await writeFile(note, `${other.pid} ${started}`);
      const next = fixture.createNext();
      await next.open();
      expect(await next.list()).toEqual([]);
      expect(other.exitCode ?? other.signalCode).toBeNull();
      other.kill('SIGKILL');
      await once(other, 'exit');
    });
  });

  it('passes the simulator settings and its own variables to an engine, but no keys', async () => {
    process.env.API_KEY = 'secret-key';
    process.env.SIM_TEST_KNOB = 'on';
    try {
      await withProcessRuntime(async ({ runtime }) => {
        const engine = await runtime.start(tinySpec(), never);
        const seen = await environmentOf(engine.port);
        expect(seen).toMatchObject({ SIM_TEST_KNOB: 'on', TINY_MODE: '', PATH: process.env.PATH });
        expect(JSON.stringify(seen)).not.toContain('secret-key');
      });
    } finally {
      delete process.env.API_KEY;
      delete process.env.SIM_TEST_KNOB;
    }
  });

  it('rejects a variable of a request that decides which program runs', async () => {
    await withProcessRuntime(async ({ runtime, leftovers }) => {
      const spec = { ...tinySpec(), env: { NODE_OPTIONS: '--require /tmp/other.cjs' } };
      await expect(runtime.start(spec, never)).rejects.toThrow('NODE_OPTIONS');
      expect(await leftovers()).toEqual([]);
    });
  });

  it('reports the last log line of an engine that exits at once', async () => {
    await withProcessRuntime(async ({ runtime }) => {
      await expect(runtime.start(tinySpec('fail'), never)).rejects.toThrow('exit code 3: no such mode');
    });
  });

  it('reports a command that does not exist', async () => {
    await withProcessRuntime(async ({ createWith, runtime }) => {
      await runtime.close();
      const wrong = createWith('/no/such/engine {http_port}');
      await wrong.open();
      await expect(wrong.start(tinySpec(), never)).rejects.toThrow('exit code 127');
    });
  });

  it('reports a taken port when an engine exits at once because of it', async () => {
    await withProcessRuntime(async ({ runtime, leftovers }) => {
      const spec = tinySpec('port');
      await expect(runtime.start(spec, never)).rejects.toMatchObject({ code: 'port_taken', port: spec.ports.http });
      expect(await leftovers()).toEqual([]);
    });
  });

  it('finds a P2P port that is taken only for UDP', async () => {
    await withProcessRuntime(async ({ runtime }) => {
      const spec = tinySpec();
      const socket = createSocket('udp4').bind(spec.ports.p2p);
      await once(socket, 'listening');
      await expect(runtime.start(spec, never)).rejects.toMatchObject({ code: 'port_taken', port: spec.ports.p2p });
      socket.close();
      await once(socket, 'close');
    });
  });

  it.each([1, 10, 40, 100, 200])('leaves nothing behind when a start is aborted after %i ms', async (ms) => {
    await withProcessRuntime(async ({ runtime, leftovers }) => {
      await expect(runtime.start(tinySpec(), AbortSignal.timeout(ms))).rejects.toMatchObject({ name: 'TimeoutError' });
      expect(await leftovers()).toEqual([]);
    });
  });

  it('reports a folder that cannot be written, and leaves nothing behind', async () => {
    await withProcessRuntime(async ({ runtime, dataDir, leftovers }) => {
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

  it('reports that DATA_DIR cannot be used, and why', async () => {
    const runtime = new ProcessRuntime({ dataDir: join(import.meta.filename, 'data'), engineCommand: 'true' }, SILENT_LOG);
    await expect(runtime.open()).rejects.toMatchObject({
      code: 'runtime_failed',
      message: expect.stringMatching(/^DATA_DIR .* cannot be used: ENOTDIR/),
    });
  });

  it('stops an engine that it finds without its guard', async () => {
    await withProcessRuntime(async (fixture) => {
      const engine = await fixture.runtime.start(fixture.spec(), never);
      const guard = await processOf(await pidOf(fixture.dataDir, engine.id, 'guard'));
      await fixture.runtime.close();
      process.kill(guard?.pid as number, 'SIGKILL');
      while (guard && (await isAlive(guard))) await turn();
      const next = fixture.createNext();
      await next.open();
      expect(await next.list()).toEqual([]);
      await untilFree(engine.port);
      expect(await fixture.leftovers()).toEqual([]);
    });
  });

  it('deletes what a kill during a start has left', async () => {
    await withProcessRuntime(async (fixture) => {
      await fixture.runtime.close();
      // A folder without a guard, a folder without a record, an interrupted deletion.
      for (const name of ['aaaaaaaaaaaa', 'bbbbbbbbbbbb', '.gone-cccccccccccc']) {
        execFileSync('mkdir', ['-p', join(fixture.dataDir, 'engines', name, 'state')]);
      }
      await writeFile(
        join(fixture.dataDir, 'engines', 'aaaaaaaaaaaa', 'engine.json'),
        JSON.stringify({ id: 'aaaaaaaaaaaa', spec: fixture.spec(), createdAt: 1 }),
      );
      const next = fixture.createNext();
      await next.open();
      expect(await next.list()).toEqual([]);
      expect(await fixture.leftovers()).toEqual([]);
    });
  });
});
