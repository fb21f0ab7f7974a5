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

  const load = (owner = 'host-8080', where = folder) => loadIdentity(where, owner, SILENT_LOG);
  const idsOf = (...owners: string[]): string[] => owners.map((owner) => load(owner).proxyId);

  it('survives a restart in a file that only its user can read; each run has its own boot id', () => {
    const first = load();
    const second = load();
    expect(second.proxyId).toBe(first.proxyId);
    expect(second.bootId).not.toBe(first.bootId);
    const [file] = readdirSync(folder);
    expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
  });

  it('is created again when the file is invalid or cannot be written', () => {
    const { proxyId } = load();
    writeFileSync(join(folder, readdirSync(folder)[0]), 'nonsense');
    expect(load().proxyId).not.toBe(proxyId);
    writeFileSync(join(folder, 'file'), '');
    expect(load('host-8080', join(folder, 'file', 'below')).proxyId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('can be replaced, and the new one survives a restart', () => {
    const identity = load();
    const { proxyId, bootId } = identity;
    identity.replace();
    expect(identity.proxyId).not.toBe(proxyId);
    expect(identity.bootId).toBe(bootId);
    expect(load().proxyId).toBe(identity.proxyId);
  });

  describe('of replicas that share a folder', () => {
    it('is different for each, and each finds its own again after it was killed', () => {
      const ids = idsOf('a', 'b', 'c');
      expect(new Set(ids).size).toBe(3);
      expect(idsOf('c', 'b', 'a')).toEqual(ids.reverse());
    });

    it('is kept by each when all of them stop and start again', () => {
      const replicas = ['a', 'b', 'c'].map((owner) => load(owner));
      for (const replica of replicas) replica.release();
      expect(idsOf('c', 'a', 'b')).toEqual([2, 0, 1].map((index) => replicas[index].proxyId));
    });

    it('goes from a stopped replica to the one that replaces it, and to only one', () => {
      const [a, b] = [load('a'), load('b')];
      a.release();
      const [c, d] = idsOf('c', 'd');
      expect(c).toBe(a.proxyId);
      expect([a.proxyId, b.proxyId]).not.toContain(d);
      // The stopped one comes back after all.
      expect([a.proxyId, b.proxyId, d]).not.toContain(load('a').proxyId);
    });

    it('is never taken from a replica that was killed, because it may come back', () => {
      const [killed, other] = idsOf('a', 'b');
      expect(other).not.toBe(killed);
      expect(load('a').proxyId).toBe(killed);
    });

    it('needs no more files than there were replicas at the same time', () => {
      for (let round = 0; round < 5; round += 1) {
        const replicas = ['a', 'b'].map((name) => load(`${name}-${round}`));
        for (const replica of replicas) replica.release();
      }
      expect(readdirSync(folder)).toHaveLength(2);
    });
  });
});
