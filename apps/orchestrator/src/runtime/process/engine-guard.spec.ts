import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withProcessRuntime } from '../../../../../test/doubles/orchestrator/process-runtime.fixture.js';

describe('the guard of an engine', () => {
  it('starts no engine when the folder was deleted before the guard could write its file', async () => {
    await withProcessRuntime(async (fixture) => {
      const guard = spawn(
        '/bin/sh',
        [
          join(import.meta.dirname, 'engine-guard.sh'),
          join(fixture.dataDir, 'engines', 'taken-away'),
          join(fixture.dataDir, 'heartbeat'),
          '1',
          '5',
          '1',
          'touch',
          join(fixture.dataDir, 'ran'),
        ],
        { detached: true, stdio: 'ignore' },
      );
      await once(guard, 'exit');
      expect(existsSync(join(fixture.dataDir, 'ran'))).toBe(false);
    });
  });

  it('stops the engine when the heartbeat stops, and not before', async () => {
    await withProcessRuntime(async (fixture) => {
      const { guard, ended, folder, heartbeat } = await startGuard(fixture.dataDir, 1);
      for (let beat = 2; beat < 22; beat += 1) {
        await writeFile(heartbeat, `${beat}\n`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(guard.exitCode ?? guard.signalCode).toBeNull();
      await ended;
      expect(await readFile(join(folder, 'exit'), 'utf8')).toBe('143\n');
      expect(await readdir(folder)).not.toContain('guard');
    });
  });

  it.each(['127.0.0.1', '::1'])(
    'lets an engine with a player on %s outlive its orchestrator, and stops it soon after the player has left',
    { timeout: 100_000 },
    async (address) => {
      await withProcessRuntime(async (fixture) => {
        const engine = createServer().listen(0, address);
        await once(engine, 'listening');
        const { port } = engine.address() as AddressInfo;
        const accepted = once(engine, 'connection') as Promise<[Socket]>;
        const player = connect(port, address);
        const [media] = await accepted;
        const { guard, ended } = await startGuard(fixture.dataDir, port);
        // Twice as long as the guard waits for an engine without players.
        await new Promise((resolve) => setTimeout(resolve, 2 * READINGS * SECONDS * 1000));
        expect(guard.exitCode ?? guard.signalCode).toBeNull();
        // A reset leaves no trace of the connection, which would count for one more minute.
        player.resetAndDestroy();
        media.destroy();
        engine.close();
        await ended;
      });
    },
  );

  it('stops an engine whose log cannot be written', async () => {
    await withProcessRuntime(async (fixture) => {
      await mkdir(join(fixture.dataDir, 'engines', 'alone', 'engine.log'), { recursive: true });
      const { ended, folder } = await startGuard(fixture.dataDir, 1);
      await ended;
      expect(await readFile(join(folder, 'exit'), 'utf8')).toBe('143\n');
    });
  });

  it('stops an engine whose folder was deleted, also when it has a player', async () => {
    await withProcessRuntime(async (fixture) => {
      const engine = createServer().listen(0, '127.0.0.1');
      await once(engine, 'listening');
      const { port } = engine.address() as AddressInfo;
      const player = connect(port, '127.0.0.1');
      await once(player, 'connect');
      const { ended, folder } = await startGuard(fixture.dataDir, port);
      // The guard may write its files meanwhile.
      await rm(folder, { recursive: true, maxRetries: 5 });
      await ended;
      player.destroy();
      engine.close();
    });
  });
});

const SECONDS = 0.3;
const READINGS = 5;

/** A guard with an engine that only sleeps, and a heartbeat that never changes by itself. */
async function startGuard(dataDir: string, port: number) {
  const folder = join(dataDir, 'engines', 'alone');
  await mkdir(folder, { recursive: true });
  const heartbeat = join(dataDir, 'other-heartbeat');
  await writeFile(heartbeat, '1\n');
  const options = [folder, heartbeat, String(SECONDS), String(READINGS), String(port)];
  const guard = spawn('/bin/sh', [join(import.meta.dirname, 'engine-guard.sh'), ...options, 'sleep', '600'], {
    detached: true,
    stdio: 'ignore',
  });
  return { guard, ended: once(guard, 'exit'), folder, heartbeat };
}
