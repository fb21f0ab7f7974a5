import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileLock, FileLockedError } from './file-lock.js';

/** Holds the lock until it is killed. */
const HOLDER = `
const Database = require('better-sqlite3');
new Database(process.argv[1]).exec('BEGIN EXCLUSIVE');
require('node:fs').writeFileSync(process.argv[1] + '.holder', 'the other process');
console.log('locked');
setInterval(() => {}, 1000);
`;

describe('a file lock', () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'file-lock-'));
    file = join(folder, 'lock');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function otherProcess(): Promise<ChildProcess> {
    const child = spawn(process.execPath, ['-e', HOLDER, file], { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout as Readable, 'data');
    return child;
  }

  it('of another process is refused with the name of its holder, and free at once when that process is killed', async () => {
    const other = await otherProcess();
    expect(() => FileLock.acquire(file)).toThrow(new FileLockedError(file, 'the other process'));
    other.kill('SIGKILL');
    await once(other, 'exit');
    FileLock.acquire(file).release();
  });

  it('of this process is refused until it is released', () => {
    const lock = FileLock.acquire(file);
    expect(() => FileLock.acquire(file)).toThrow(`is locked by process ${process.pid} on `);
    lock.release();
    FileLock.acquire(file).release();
  });

  it('keeps its id over restarts, and a copy of the folder has another one', () => {
    const ids = [file, file].map((path) => {
      const lock = FileLock.acquire(path);
      lock.release();
      return lock.id;
    });
    expect(ids[0]).toBe(ids[1]);
    cpSync(folder, `${folder}-copy`, { recursive: true });
    const copy = FileLock.acquire(join(`${folder}-copy`, 'lock'));
    copy.release();
    rmSync(`${folder}-copy`, { recursive: true });
    expect(copy.id).not.toBe(ids[0]);
  });

  it('cannot be taken where no file can be created', () => {
    expect(() => FileLock.acquire(join(folder, 'missing', 'lock'))).toThrow(/directory|open/);
  });
});
