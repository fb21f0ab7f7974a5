import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bodyOf } from './http-body.js';
import { MalformedHttpError } from './http-head.js';

function body(headers: Record<string, string>) {
  return bodyOf({ status: 200, headers: new Map(Object.entries(headers)) });
}

function read(headers: Record<string, string>, sent: string, cut = sent.length) {
  const reader = body(headers);
  let text = '';
  for (let at = 0; at < sent.length; at += cut) {
    const bytes = Buffer.from(sent.slice(at, at + cut), 'latin1');
    text += bytes.toString('latin1', 0, reader.take(bytes));
  }
  return { text, complete: reader.complete, endsWithConnection: reader.endsWithConnection };
}

const CHUNKED = { 'transfer-encoding': 'chunked' };

describe('a chunked body', () => {
  it('has the content of its chunks, however the bytes are split, and is complete after the last chunk', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1, maxLength: 40 })), fc.integer({ min: 1, max: 50 }), (chunks, cut) => {
        const latin = chunks.map((chunk) => Buffer.from(chunk).toString('latin1'));
        const sent = latin.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
        const text = latin.join('');
        expect(read(CHUNKED, sent, cut)).toEqual({ text, complete: false, endsWithConnection: false });
        expect(read(CHUNKED, `${sent}0\r\n\r\nnot of the body`, cut)).toMatchObject({ text, complete: true });
      }),
    );
  });

  it('may have chunk extensions, trailers, leading zeros and capitals', () => {
    const sent = '000A ;name="value"\r\n0123456789\r\n1\n!\n0;last\r\nTrailer: x\r\nOther: y\r\n\r\n';
    for (let cut = 1; cut <= sent.length; cut += 1) expect(read(CHUNKED, sent, cut)).toMatchObject({ text: '0123456789!', complete: true });
  });

  it('is not complete before the empty line that ends its trailers', () => {
    expect(read(CHUNKED, '1\r\na\r\n0\r\nTrailer: x\r\n').complete).toBe(false);
  });

  it('is chunked even with another coding or a content-length', () => {
    expect(read({ 'transfer-encoding': 'gzip, Chunked', 'content-length': '1' }, '2\r\nab\r\n')).toMatchObject({ text: 'ab' });
  });

  it.each([
    ['no size', '\r\nabc'],
    ['a size that is no number', 'xyz\r\n'],
    ['a size with something else behind it', '5!\r\n'],
    ['a size beyond all bounds', 'fffffffffffff\r\n'],
    ['a chunk longer than its size', '2\r\nabc\r\n'],
  ])('is malformed with %s: bytes before it are valid, bytes after it are ignored', (_name, sent) => {
    const reader = body(CHUNKED);
    const bytes = Buffer.from(`3\r\nabc\r\n${sent}`);
    expect(bytes.toString('latin1', 0, Math.min(3, reader.take(bytes)))).toBe('abc');
    expect(reader.failure).toBeInstanceOf(MalformedHttpError);
    expect([reader.take(Buffer.from('1\r\na\r\n')), reader.complete]).toEqual([0, false]);
  });
});

describe('a body that is not chunked', () => {
  it('without a length ends when the connection ends', () => {
    expect(read({}, 'all of it', 2)).toEqual({ text: 'all of it', complete: false, endsWithConnection: true });
    expect(read({ 'transfer-encoding': 'identity' }, 'all', 2)).toMatchObject({ text: 'all', endsWithConnection: true });
  });

  it('with a length ends after that many bytes', () => {
    expect(read({ 'content-length': '3' }, 'abcd', 2)).toEqual({ text: 'abc', complete: true, endsWithConnection: false });
    expect(read({ 'content-length': '3' }, 'ab').complete).toBe(false);
    expect(body({ 'content-length': '0' }).complete).toBe(true);
  });

  it.each([204, 304])('is empty with status %i', (status) => {
    expect(bodyOf({ status, headers: new Map() }).complete).toBe(true);
  });

  it.each(['x', '-1', '1, 2', ''])('is malformed with the length "%s"', (length) => {
    expect(() => body({ 'content-length': length })).toThrow(MalformedHttpError);
  });
});
