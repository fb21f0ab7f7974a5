/** By what the orchestrator knows this proxy: an id that outlives restarts, and one for this run. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Log } from '@acexy/service-kit';

export interface ProxyIdentity {
  proxyId: string;
  /** New with every start. */
  bootId: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The id kept in `folder`, made on the first start. Proxies that share a folder have files of their own, by host and port: two with one id
 * would end each other's streams. Where the file cannot be kept the id lasts for this run only, which costs no more than a restart's
 * streams ending 15 s late.
 */
export function loadIdentity(folder: string, port: number, log: Log): ProxyIdentity {
  const file = join(folder, `proxy-${hostname()}-${port}.id`);
  const bootId = randomUUID();
  const kept = read(file, log);
  if (kept !== null) return { proxyId: kept, bootId };
  const proxyId = randomUUID();
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(file, `${proxyId}\n`, { mode: 0o600 });
  } catch (error) {
    log.warn('the proxy id cannot be kept, so it is new with every start', { file, code: (error as NodeJS.ErrnoException).code });
  }
  return { proxyId, bootId };
}

function read(file: string, log: Log): string | null {
  try {
    const text = readFileSync(file, 'utf8').trim();
    if (UUID.test(text)) return text;
    log.warn('the file of the proxy id holds no UUID, making a new one', { file });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') log.warn('the proxy id cannot be read, making a new one', { file, code });
  }
  return null;
}
