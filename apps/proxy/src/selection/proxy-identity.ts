/** How the orchestrator knows this proxy: an id that survives restarts, and one for this run. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '@acexy/service-kit';

export interface ProxyIdentity {
  readonly proxyId: string;
  /** New at every start. */
  readonly bootId: string;
  /** Takes a new proxy id, because another proxy has the same one. */
  replace(): void;
  /** Gives the id back at the end of a shutdown: this proxy takes it again at its next start, unless another proxy has taken it by then. */
  release(): void;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const IN_USE = '.id';
const FREE = '.free';

/**
 * Loads the id from `folder`, or creates it at the first start. Any number of proxies may share the folder, such as the replicas of a container,
 * and no two of them use one id: they would end each other's streams.
 *
 * The name of a file in use contains its owner, so a proxy that was killed finds its id again. A released file is free: the next proxy without
 * an id of its own takes it, such as the container that replaces another. Renaming a file is atomic, so only one proxy can take it.
 *
 * If the file cannot be written, the id is valid for this run only: after a restart the orchestrator then notices 15 s late that the old streams
 * have ended.
 *
 * @param owner name of this proxy, such as host and port, which no other proxy on this folder has
 */
export function loadIdentity(folder: string, owner: string, log: Log): ProxyIdentity {
  return new StoredIdentity(folder, `proxy-${owner}`, log);
}

class StoredIdentity implements ProxyIdentity {
  readonly bootId = randomUUID();
  private readonly file: string;
  private id: string;

  constructor(
    private readonly folder: string,
    private readonly name: string,
    private readonly log: Log,
  ) {
    this.file = join(folder, name + IN_USE);
    this.id = this.read() ?? (this.takeFree() ? this.read() : null) ?? this.create();
  }

  get proxyId(): string {
    return this.id;
  }

  replace(): void {
    this.id = this.create();
  }

  release(): void {
    this.move(this.file, join(this.folder, this.name + FREE));
  }

  private create(): string {
    const proxyId = randomUUID();
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      writeFileSync(this.file, `${proxyId}\n`, { mode: 0o600 });
    } catch (error) {
      this.log.warn('proxy id cannot be stored', { file: this.file, code: codeOf(error) });
    }
    return proxyId;
  }

  private read(): string | null {
    try {
      const text = readFileSync(this.file, 'utf8').trim();
      if (UUID.test(text)) return text;
      this.log.warn('proxy id file is invalid', { file: this.file });
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.log.warn('proxy id file is unreadable', { file: this.file, code: codeOf(error) });
    }
    return null;
  }

  /** Takes the id that this proxy released last, else any free one. */
  private takeFree(): boolean {
    return [this.name + FREE, ...this.freeFiles()].some((name) => this.move(join(this.folder, name), this.file));
  }

  private freeFiles(): string[] {
    try {
      return readdirSync(this.folder).filter((name) => name.startsWith('proxy-') && name.endsWith(FREE));
    } catch {
      return []; // no folder yet; if it is unreadable, create() reports it
    }
  }

  private move(from: string, to: string): boolean {
    try {
      renameSync(from, to);
      return true;
    } catch (error) {
      // Another proxy has taken the file, or it never was.
      if (codeOf(error) !== 'ENOENT') this.log.warn('proxy id file cannot be renamed', { file: from, code: codeOf(error) });
      return false;
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
