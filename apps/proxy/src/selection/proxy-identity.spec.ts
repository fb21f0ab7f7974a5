import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SILENT_LOG } from '@acexy/service-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadIdentity } from './proxy-identity.js';

describe('the proxy id', () => {
  let folder: string;

  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'acexy-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const load = (port = 8080, where = folder) => loadIdentity(where, port, SILENT_LOG);

  it('survives a restart in a file that only its user can read; each run has its own boot id', () => {
    const first = load();
    const second = load();
    expect(second.proxyId).toBe(first.proxyId);
    expect(second.bootId).not.toBe(first.bootId);
    const [file] = readdirSync(folder);
    expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
  });

  it('is not shared by two proxies that share a folder', () => {
    expect(load(8080).proxyId).not.toBe(load(8081).proxyId);
  });

  it('is created again when the file is invalid or cannot be written', () => {
    const { proxyId } = load();
    writeFileSync(join(folder, readdirSync(folder)[0]), 'nonsense');
    expect(load().proxyId).not.toBe(proxyId);
    writeFileSync(join(folder, 'file'), '');
    expect(load(8080, join(folder, 'file', 'below')).proxyId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('can be replaced, and the new one survives a restart', () => {
    const identity = load();
    const { proxyId, bootId } = identity;
    identity.replace();
    expect(identity.proxyId).not.toBe(proxyId);
    expect(identity.bootId).toBe(bootId);
    expect(load().proxyId).toBe(identity.proxyId);
  });
});
