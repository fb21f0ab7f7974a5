import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pythonJson } from './python-json.js';

describe('pythonJson', () => {
  it('writes a space after every colon and comma', () => {
    expect(pythonJson({ result: { a: [1, 2], b: {} }, error: null })).toBe('{"result": {"a": [1, 2], "b": {}}, "error": null}');
  });

  it('escapes all characters that are not ASCII', () => {
    expect(pythonJson('é€😀')).toBe('"\\u00e9\\u20ac\\ud83d\\ude00"');
  });

  it('writes valid JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(pythonJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
