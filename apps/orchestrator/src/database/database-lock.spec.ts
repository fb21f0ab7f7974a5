import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ListeningEngines, startOrchestrator } from '../../../../test/doubles/orchestrator/test-orchestrator.js';

describe('two orchestrators with one database', () => {
  it('the second refuses to start and says who holds it, until the first has stopped', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'orchestrator-'));
    const first = await startOrchestrator({ folder });
    const second = startOrchestrator({ folder, runtime: new ListeningEngines() });
    await expect(second).rejects.toMatchObject({
      code: 'database_in_use',
      message: expect.stringMatching(
        new RegExp(
          `test.db is in use by another orchestrator .process ${process.pid} on .*: stop that orchestrator, or set another DB_URL`,
        ),
      ) as string,
    });
    await first.close();
    const third = await startOrchestrator({ folder });
    await third.close();
    rmSync(folder, { recursive: true, force: true });
  });
});
