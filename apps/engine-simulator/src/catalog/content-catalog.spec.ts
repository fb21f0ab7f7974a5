import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../input-error.js';
import { ContentCatalog, readCatalogFile } from './content-catalog.js';

const folder = mkdtempSync(join(tmpdir(), 'catalog-'));
afterAll(() => rmSync(folder, { recursive: true }));

function catalog(text: string) {
  const file = join(folder, 'catalog.json');
  writeFileSync(file, text);
  return readCatalogFile(file);
}

describe('catalog file', () => {
  it('gives contents an infohash, a title and settings', () => {
    const id = 'ab'.repeat(20);
    const infohash = 'cd'.repeat(20);
    const directory = new ContentCatalog(
      catalog(JSON.stringify([{ id, infohash, title: 'News', settings: { bitrate: 8_000_000 } }, { id: '12'.repeat(20) }])),
    );
    expect(directory.byId(id)).toEqual({ id, infohash, title: 'News', settings: { bitrate: 8_000_000 } });
    expect(directory.byInfohash(infohash)).toBe(directory.byId(id));
    expect(directory.byId('12'.repeat(20))?.infohash).toBe(new ContentCatalog().byId('12'.repeat(20))?.infohash);
  });

  it('is rejected with the reason if it is invalid', () => {
    expect(() => catalog('root:x:0:0')).toThrow(/^the catalog \S+ is not JSON$/);
    expect(() => catalog('{}')).toThrow(/must be a JSON list/);
    expect(() => catalog('[{"id": "abc"}]')).toThrow(/entry 0 must have/);
    expect(() => catalog(`[{"id": "${'ab'.repeat(20)}", "settings": {"bitrate": "fast"}}]`)).toThrow(InputError);
    expect(() => readCatalogFile(join(folder, 'gone.json'))).toThrow(InputError);
  });
});

describe('contents outside the catalog', () => {
  it('are remembered, up to 2000, and the one requested longest ago is removed first', () => {
    const directory = new ContentCatalog();
    const hex = (n: number) => n.toString(16).padStart(40, '0');
    const first = directory.byInfohash(hex(0));
    expect(directory.byInfohash(hex(0))).toBe(first);
    for (let n = 1; n <= 2000; n += 1) directory.byInfohash(hex(n));
    expect(directory.knows(hex(0))).toBe(false);
    expect(directory.knows(hex(1))).toBe(true);
  });
});
