import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withProcessRuntime } from '../../../../../test/doubles/orchestrator/process-runtime.fixture.js';

describe('the lock of DATA_DIR', () => {
  it('rejects a second orchestrator with the same DATA_DIR until the first one has closed', async () => {
    await withProcessRuntime(async ({ runtime, createNext, dataDir }) => {
      const second = createNext();
      await expect(second.open()).rejects.toMatchObject({
        code: 'data_dir_in_use',
        message: expect.stringContaining(`DATA_DIR ${dataDir}`),
      });
      await runtime.close();
      await expect(second.open()).resolves.toBeUndefined();
    });
  });

  it('the lock of a killed orchestrator needs no manual removal', async () => {
    await withProcessRuntime(async ({ runtime, createNext, dataDir }) => {
      await runtime.close();
      const dead = spawn(process.execPath, ['-e', '']);
      await once(dead, 'exit');
      await writeFile(join(dataDir, 'lock.7'), `${dead.pid} some-boot:123\n`);
      // Another process has the pid now.
      await writeFile(join(dataDir, 'lock.8'), `${process.pid} some-boot:123\n`);
      await expect(createNext().open()).resolves.toBeUndefined();
      expect((await readdir(dataDir)).filter((name) => name.startsWith('lock.'))).toEqual(['lock.9']);
    });
  });

  it('when ten orchestrators find a void lock at the same time, exactly one gets the folder', async () => {
    await withProcessRuntime(async ({ runtime, createNext, dataDir }) => {
      await runtime.close();
      await writeFile(join(dataDir, 'lock.3'), '999999 some-boot:1\n');
      const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => createNext().open()));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });
  });
});
