import { describe, expect, it } from 'vitest';
import { HeadReader, MalformedHttpError } from './http-head.js';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nx-a:  1 \r\nX-A: 2\r\n\r\n';

function read(text: string, cut = text.length): { status: number; headers: Record<string, string>; rest: string } | null {
  const reader = new HeadReader();
  for (let at = 0; at < text.length; at += cut) {
    const found = reader.push(Buffer.from(text.slice(at, at + cut)));
    if (found === null) continue;
    const rest = found.rest.toString() + text.slice(at + cut);
    return { status: found.head.status, headers: Object.fromEntries(found.head.headers), rest };
  }
  return null;
}

describe('the head of a reply', () => {
  it('is the same however the bytes are split, and the bytes after it stay untouched', () => {
    const whole = { status: 200, headers: { 'content-type': 'video/mp2t', 'x-a': '1, 2' }, rest: 'HTTP/1.1\r\nbody' };
    for (let cut = 1; cut <= HEAD.length; cut += 1) expect(read(`${HEAD}HTTP/1.1\r\nbody`, cut)).toEqual(whole);
  });

  it('is not complete before its empty line', () => {
    for (let length = 0; length < HEAD.length; length += 1) expect(read(HEAD.slice(0, length))).toBeNull();
  });

  it('follows interim replies', () => {
    expect(read('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\na: b\r\n\r\nHTTP/1.0 404\r\n\r\n')).toMatchObject({
      status: 404,
      headers: {},
    });
  });

  it('may have lines without a carriage return', () => {
    expect(read('HTTP/1.1 302 Found\nLocation: /x\n\nrest')).toEqual({ status: 302, headers: { location: '/x' }, rest: 'rest' });
  });

  it.each([
    ['a second status line', 'HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\n'],
    ['a line that is no header', 'HTTP/1.1 200 OK\r\nnonsense\r\n'],
    ['a header that goes on in the next line', 'HTTP/1.1 200 OK\r\na: b\r\n c\r\n'],
    ['a status that is none', 'HTTP/1.1 OK\r\n'],
    ['another protocol, without waiting for the end of a line', '\u0047@\u0000'],
    ['another version', 'HTTP/2'],
    ['a head without end', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(4000)}`],
    ['a line without end', `HTTP/1.1 200 OK\r\na: ${'b'.repeat(20_000)}`],
  ])('is not %s', (_name, text) => {
    expect(() => read(text)).toThrow(MalformedHttpError);
    expect(() => read(text, 1)).toThrow(MalformedHttpError);
  });
});
