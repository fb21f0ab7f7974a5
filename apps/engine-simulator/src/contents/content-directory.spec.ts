import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { KnobError } from '../faults/knobs.js';
import { CatalogError, ContentDirectory, readCatalog } from './content-directory.js';

const folder = mkdtempSync(join(tmpdir(), 'catalog-'));
afterAll(() => rmSync(folder, { recursive: true }));

function catalog(text: string) {
  const file = join(folder, 'catalog.json');
  writeFileSync(file, text);
  return readCatalog(file);
}

describe('the catalog', () => {
  it('names contents with their infohash, title and knobs', () => {
    const id = 'ab'.repeat(20);
    const infohash = 'cd'.repeat(20);
    const directory = new ContentDirectory(
      catalog(JSON.stringify([{ id, infohash, title: 'News', knobs: { bitrate: 8_000_000 } }, { id: '12'.repeat(20) }])),
    );
    expect(directory.byId(id)).toEqual({ id, infohash, title: 'News', knobs: { bitrate: 8_000_000 } });
    expect(directory.byInfohash(infohash)).toBe(directory.byId(id));
    expect(directory.byId('12'.repeat(20))?.infohash).toBe(new ContentDirectory().byId('12'.repeat(20))?.infohash);
    expect(directory.all()).toHaveLength(2);
  });

  it('that cannot be used is refused with what is wrong', () => {
    expect(() => catalog('nonsense')).toThrow(CatalogError);
    expect(() => catalog('{}')).toThrow(/not a list/);
    expect(() => catalog('[{"id": "abc"}]')).toThrow(/entry 0 needs/);
    expect(() => catalog(`[{"id": "${'ab'.repeat(20)}", "knobs": {"bitrate": "fast"}}]`)).toThrow(KnobError);
    expect(() => readCatalog(join(folder, 'gone.json'))).toThrow(CatalogError);
  });
});

describe('other contents', () => {
  it('are the same object for the same id, and the oldest is forgotten first', () => {
    const directory = new ContentDirectory();
    const hex = (n: number) => n.toString(16).padStart(40, '0');
    const first = directory.byInfohash(hex(0));
    expect(directory.byInfohash(hex(0))).toBe(first);
    for (let n = 1; n <= 2000; n += 1) directory.byInfohash(hex(n));
    expect(directory.all()).toHaveLength(2000);
    expect(directory.knows(hex(0))).toBe(false);
    expect(directory.knows(hex(1))).toBe(true);
  });

  it('come from magnets and addresses, too', () => {
    const directory = new ContentDirectory();
    expect(directory.byMagnet(`magnet:?xt=urn:btih:${'AB'.repeat(20)}&dn=x`)?.infohash).toBe('ab'.repeat(20));
    expect(directory.byMagnet('magnet:?dn=x')).toBeNull();
    expect(directory.byUrl('http://example.test/a.acelive')).toBe(directory.byUrl('http://example.test/a.acelive'));
  });
});
