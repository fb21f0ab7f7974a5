/** How the orchestrator knows this proxy: an id that survives restarts, and one for this run. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Log } from '@acexy/service-kit';

export interface ProxyIdentity {
  readonly proxyId: string;
  /** New at every start. */
  readonly bootId: string;
  /** Takes a new proxy id, because another proxy has the same one. */
  replace(): void;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Loads the id from `folder`, or creates it at the first start. The file name contains host and port, because two proxies with one id would end
 * each other's streams. If the file cannot be written, the id is valid for this run only: after a restart the orchestrator then notices 15 s late
 * that the old streams have ended.
 */
export function loadIdentity(folder: string, port: number, log: Log): ProxyIdentity {
  return new StoredIdentity(folder, `proxy-${hostname()}-${port}.id`, log);
}

class StoredIdentity implements ProxyIdentity {
  readonly bootId = randomUUID();
  private id: string;

  constructor(
    private readonly folder: string,
    private readonly fileName: string,
    private readonly log: Log,
  ) {
    this.id = read(join(folder, fileName), log) ?? this.create();
  }

  get proxyId(): string {
    return this.id;
  }

  replace(): void {
    this.id = this.create();
  }

  private create(): string {
    const proxyId = randomUUID();
    const file = join(this.folder, this.fileName);
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      writeFileSync(file, `${proxyId}\n`, { mode: 0o600 });
    } catch (error) {
      this.log.warn('proxy id cannot be stored', { file, code: (error as NodeJS.ErrnoException).code });
    }
    return proxyId;
  }
}

function read(file: string, log: Log): string | null {
  try {
    const text = readFileSync(file, 'utf8').trim();
    if (UUID.test(text)) return text;
    log.warn('proxy id file is invalid', { file });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') log.warn('proxy id file is unreadable', { file, code });
  }
  return null;
}
