import { describe, expect, it } from 'vitest';
import { isObject, parseObject, snippet, splitList, toText, withoutSlashesAtEnd } from './json.js';

describe('reading JSON of other programs', () => {
  it('splits a list at its commas, without empty parts', () => {
    expect(splitList(' a,, b ,')).toEqual(['a', 'b']);
  });

  it('tells an object from an array, null and plain values', () => {
    expect([{}, { a: 1 }, [], null, 'text', 1].map(isObject)).toEqual([true, true, false, false, false, false]);
  });

  it('reads the object of a text, and null from any other text', () => {
    expect(['{"a":1}', '[]', 'null', '"text"', '{', ''].map(parseObject)).toEqual([{ a: 1 }, null, null, null, null, null]);
  });

  it('reads a missing, empty or other value as no text', () => {
    expect(['text', '', null, undefined, 1, {}].map(toText)).toEqual(['text', null, null, null, null, null]);
  });

  it('removes the slashes at the end of a path', () => {
    expect(['/a/b//', '/a', '///', ''].map(withoutSlashesAtEnd)).toEqual(['/a/b', '/a', '', '']);
  });

  it('quotes the start of a text on one line', () => {
    expect(snippet('  a\n\n b\t c ')).toBe('a b c');
    expect(snippet(Buffer.from([0x47, 0x01, 0xff, 0x10]).toString())).toBe('4 characters that are not text');
    expect(snippet('G\u0000G')).toBe('3 characters that are not text');
    expect(snippet('x'.repeat(200))).toBe(`${'x'.repeat(120)}…`);
  });
});
