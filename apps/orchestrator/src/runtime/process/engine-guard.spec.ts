import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
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
      const folder = join(fixture.dataDir, 'engines', 'alone');
      execFileSync('mkdir', ['-p', folder]);
      const heartbeat = join(fixture.dataDir, 'other-heartbeat');
      await writeFile(heartbeat, '1\n');
      const guard = spawn('/bin/sh', [join(import.meta.dirname, 'engine-guard.sh'), folder, heartbeat, '0.3', '5', 'sleep', '600'], {
        detached: true,
        stdio: 'ignore',
      });
      const ended = once(guard, 'exit');
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
});
