import { copyFile, mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineSpec } from '../engine-runtime.js';
import { parseProcessRef, type ProcessRef } from './process-identity.js';

/** All facts needed to adopt an engine; written before its process exists. */
export interface EngineRecord {
  id: string;
  spec: EngineSpec;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** Log size in bytes at which the log is rotated; an engine keeps about twice as much at most. */
const LOG_LIMIT = 1 << 20;
const LOG_TAIL = 4096;
const DISCARDED = '.gone-';

/** The folder of one engine in DATA_DIR: its record, the files of its guard, its log and its state. */
export class EngineFolder {
  readonly path: string;

  constructor(
    private readonly root: string,
    private readonly folderName: string,
  ) {
    this.path = join(root, folderName);
  }

  static async all(root: string): Promise<EngineFolder[]> {
    return (await readdir(root)).map((name) => new EngineFolder(root, name));
  }

  async create(record: EngineRecord): Promise<void> {
    await mkdir(this.stateDir, { recursive: true });
    // The environment of the engine may contain secrets.
    await writeFile(join(this.path, 'engine.json'), JSON.stringify(record), { mode: 0o600 });
  }

  get stateDir(): string {
    return join(this.path, 'state');
  }

  get logFile(): string {
    return join(this.path, 'engine.log');
  }

  /** Null when the folder was only partly created or deleted. */
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

  /** Null when the guard has not written it, or has removed it after the end of the engine. */
  async processOf(role: 'guard' | 'engine'): Promise<ProcessRef | null> {
    return parseProcessRef((await this.read(role)) ?? '');
  }

  /** Null while the engine runs, and when its guard was killed. */
  async exitCode(): Promise<number | null> {
    const text = (await this.read('exit'))?.trim();
    return text && /^\d+$/.test(text) ? Number(text) : null;
  }

  async logTail(): Promise<string> {
    const text = (await this.read('engine.log')) ?? '';
    return text.slice(-LOG_TAIL).trim();
  }

  /** Rotates a log that is too large. Copies and truncates it, because the engine keeps the file open. */
  async rotateLog(): Promise<void> {
    if ((await stat(this.logFile)).size <= LOG_LIMIT) return;
    await copyFile(this.logFile, `${this.logFile}.1`);
    await truncate(this.logFile);
  }

  /**
   * Renames the folder before its deletion. A guard that is just starting can then not write its file and exits, so the renamed folder lists
   * every process.
   * @returns the renamed folder, for a last check before `delete`
   */
  async discard(): Promise<EngineFolder> {
    if (this.folderName.startsWith(DISCARDED)) return this;
    const discarded = new EngineFolder(this.root, `${DISCARDED}${this.folderName}`);
    try {
      await rename(this.path, discarded.path);
    } catch (error) {
      // It was never created.
      if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    return discarded;
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
