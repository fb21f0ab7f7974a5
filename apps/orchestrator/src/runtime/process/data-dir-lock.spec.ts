import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { within } from '../../../../../test/doubles/orchestrator/process-runtime.fixture.js';

describe('the lock of DATA_DIR', () => {
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
});
