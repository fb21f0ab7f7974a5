import { randomBytes } from 'node:crypto';
import { link, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '@acexy/service-kit/primitives';
import { isAlive, parseProcessRef, processOf } from './process-identity.js';

/** Two orchestrators with one DATA_DIR would manage each other's engines. */
export class DataDirInUseError extends CodedError {
  readonly code = 'data_dir_in_use';

  constructor(dataDir: string, pid: number) {
    super(`DATA_DIR ${dataDir} is in use by another orchestrator (process ${pid}): stop it, or set another DATA_DIR for this one`);
  }
}

const RELEASED = 'released';
/** Far more than the number of processes that compete. */
const MAX_ROUNDS = 100;

/**
 * Node has no lock that ends with its process, so the lock names its owner process and is void when that process no longer exists.
 *
 * Locks are numbered and the highest number counts. A void lock is never removed or overwritten, but superseded: creating `lock.<n+1>`
 * succeeds for one process only, so two processes that find the same void lock cannot both get it.
 */
export class DataDirLock {
  private constructor(
    private readonly dataDir: string,
    private readonly number: number,
  ) {}

  /** @throws DataDirInUseError */
  static async acquire(dataDir: string): Promise<DataDirLock> {
    const self = await processOf(process.pid);
    if (!self) throw new Error(`cannot read the start time of this process (${process.pid})`);
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const highest = (await lockNumbers(dataDir)).at(-1) ?? 0;
      const owner = highest > 0 ? await ownerOf(dataDir, highest) : null;
      if (owner && (await isAlive(owner))) throw new DataDirInUseError(dataDir, owner.pid);
      if (!(await create(dataDir, highest + 1, `${self.pid} ${self.started}`))) continue;
      const numbers = await lockNumbers(dataDir);
      if (numbers.at(-1) === highest + 1) {
        await Promise.all(numbers.slice(0, -1).map((number) => rm(lockFile(dataDir, number), { force: true })));
        return new DataDirLock(dataDir, highest + 1);
      }
      // Another process has meanwhile created a higher number and removed those below it.
      await rm(lockFile(dataDir, highest + 1), { force: true });
    }
    throw new Error(`cannot lock DATA_DIR ${dataDir}: too many processes try to lock it`);
  }

  /** Keeps the file, without an owner: numbers must not start again at 1. */
  async release(): Promise<void> {
    await replace(lockFile(this.dataDir, this.number), RELEASED);
  }
}

function lockFile(dataDir: string, number: number): string {
  return join(dataDir, `lock.${number}`);
}

async function lockNumbers(dataDir: string): Promise<number[]> {
  const names = await readdir(dataDir);
  return names
    .map((name) => Number(/^lock\.(\d+)$/.exec(name)?.[1] ?? 0))
    .filter((number) => number > 0)
    .sort((a, b) => a - b);
}

async function ownerOf(dataDir: string, number: number) {
  try {
    return parseProcessRef(await readFile(lockFile(dataDir, number), 'utf8'));
  } catch (error) {
    // Superseded and removed meanwhile; the next round reads the new owner.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** False when it exists already. Links a complete file, so that no process reads a half-written lock. */
async function create(dataDir: string, number: number, content: string): Promise<boolean> {
  const draft = draftFile(lockFile(dataDir, number));
  await writeFile(draft, `${content}\n`);
  try {
    await link(draft, lockFile(dataDir, number));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function replace(file: string, content: string): Promise<void> {
  const draft = draftFile(file);
  await writeFile(draft, `${content}\n`);
  await rename(draft, file);
}

function draftFile(file: string): string {
  return `${file}.${randomBytes(6).toString('hex')}.new`;
}
