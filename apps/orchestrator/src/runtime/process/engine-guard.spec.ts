import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { within } from '../../../../../test/doubles/orchestrator/process-runtime.fixture.js';

describe('the guard of an engine', () => {
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
      const guard = spawn('/bin/sh', [join(import.meta.dirname, 'engine-guard.sh'), note, heartbeat, '0.3', '5', 'sleep', '600'], {
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
      expect(await readFile(join(note, 'exit'), 'utf8')).toBe('143\n');
      expect(await readdir(note)).not.toContain('guard');
    });
  });
});
