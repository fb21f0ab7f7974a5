import { copyFile, mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineSpec } from '../engine-runtime.js';
import { parseProcessRef, type ProcessRef } from './process-identity.js';

/** What we must know of an engine to take it over; written before its process exists. */
export interface EngineRecord {
  id: string;
  spec: EngineSpec;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** Bytes that a log may have before it becomes the old one; an engine so keeps at most about twice as much. */
const LOG_LIMIT = 1 << 20;
const LOG_TAIL = 4096;
const DISCARDED = '.gone-';

/** The folder of one engine under DATA_DIR: its record, the guard's notes, its log and its own state. */
export class EngineFolder {
  readonly path: string;

  constructor(
    private readonly root: string,
    private readonly folderName: string,
  ) {
    this.path = join(root, folderName);
  }

  /** All there are. */
  static async all(root: string): Promise<EngineFolder[]> {
    return (await readdir(root)).map((name) => new EngineFolder(root, name));
  }

  async create(record: EngineRecord): Promise<void> {
    await mkdir(this.stateDir, { recursive: true });
    await writeFile(join(this.path, 'engine.json'), JSON.stringify(record));
  }

  get stateDir(): string {
    return join(this.path, 'state');
  }

  get logFile(): string {
    return join(this.path, 'engine.log');
  }

  /** Null where the folder was begun or taken away halfway. */
  async record(): Promise<EngineRecord | null> {
    const text = await this.read('engine.json');
    if (text === null || text === '') return null;
    try {
      return JSON.parse(text) as EngineRecord;
    } catch (error) {
      if (error instanceof SyntaxError) return null;
      throw error;
    }
  }

  async guard(): Promise<ProcessRef | null> {
    return parseProcessRef((await this.read('guard')) ?? '');
  }

  async engine(): Promise<ProcessRef | null> {
    return parseProcessRef((await this.read('engine')) ?? '');
  }

  /** Null while it runs, and where nobody was there to see how it ended. */
  async exitCode(): Promise<number | null> {
    const text = (await this.read('exit'))?.trim();
    return text && /^\d+$/.test(text) ? Number(text) : null;
  }

  async logTail(): Promise<string> {
    const text = (await this.read('engine.log')) ?? '';
    return text.slice(-LOG_TAIL).trim();
  }

  /** Copied and cut, not renamed: the engine goes on writing to the file it has. */
  async boundLog(): Promise<void> {
    if ((await stat(this.logFile)).size <= LOG_LIMIT) return;
    await copyFile(this.logFile, `${this.logFile}.1`);
    await truncate(this.logFile);
  }

  /**
   * Takes the folder away. Under another name first: a guard that is only just starting cannot make its note any more and ends, so
   * what stands in the folder after the renaming is all there will ever be.
   * @returns the folder under its last name, to be looked at before `delete`
   */
  async discard(): Promise<EngineFolder> {
    if (this.folderName.startsWith(DISCARDED)) return this;
    const gone = new EngineFolder(this.root, `${DISCARDED}${this.folderName}`);
    try {
      await rename(this.path, gone.path);
    } catch (error) {
      // It was never made.
      if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    return gone;
  }

  async delete(): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 });
  }

  private async read(name: string): Promise<string | null> {
    try {
      return await readFile(join(this.path, name), 'utf8');
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
      throw error;
    }
  }
}
