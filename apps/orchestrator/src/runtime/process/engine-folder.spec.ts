import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EngineFolder, type EngineRecord } from './engine-folder.js';

const RECORD: EngineRecord = {
  id: '0123456789ab',
  spec: { name: 'acestream-1', kind: 'acestream', env: {}, labels: {}, ports: { http: 1, https: 2, api: 3, p2p: 4 } },
  createdAt: 1,
};

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'engine-folder-'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function create(): Promise<EngineFolder> {
  const folder = new EngineFolder(root, RECORD.id);
  await folder.create(RECORD);
  return folder;
}

describe('the folder of an engine', () => {
  it('has the record of an engine before its process exists', async () => {
    await create();
    const [folder] = await EngineFolder.all(root);
    expect(await folder.record()).toEqual(RECORD);
    expect((await stat(join(folder.path, 'engine.json'))).mode & 0o777).toBe(0o600);
    expect([await folder.processOf('guard'), await folder.processOf('engine'), await folder.exitCode()]).toEqual([null, null, null]);
  });

  it('has no record when it was written only in part', async () => {
    const folder = await create();
    await writeFile(join(folder.path, 'engine.json'), '{"id": "01');
    expect(await folder.record()).toBeNull();
  });

  it('rotates the log while the engine keeps writing to the same file, and keeps its last lines', async () => {
    const folder = await create();
    for (let round = 0; round < 5; round += 1) {
      await appendFile(folder.logFile, `${'x'.repeat(700_000)} round ${round}\n`);
      await folder.rotateLog();
    }
    const [now, before] = [await stat(folder.logFile), await stat(`${folder.logFile}.1`)];
    expect(now.size + before.size).toBeLessThan(3 << 20);
    expect(await readFile(folder.logFile, 'utf8')).toContain('round 4');
  });

  it('returns the end of a long log', async () => {
    const folder = await create();
    await writeFile(folder.logFile, `${'x'.repeat(100_000)}\nthe end\n`);
    expect((await folder.logTail()).endsWith('the end')).toBe(true);
    expect((await folder.logTail()).length).toBeLessThan(5000);
  });

  it('can be deleted when it was never created', async () => {
    await (await new EngineFolder(root, 'never-made').discard()).delete();
    expect(await readdir(root)).toEqual([]);
  });

  it('can be deleted twice, also after an interrupted deletion', async () => {
    const folder = await create();
    await folder.discard();
    const [left] = await EngineFolder.all(root);
    await (await left.discard()).delete();
    expect(await readdir(root)).toEqual([]);
  });
});
