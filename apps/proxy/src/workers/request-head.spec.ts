import { once } from 'node:events';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { judgeHead, readHead, targetOf } from './request-head.js';

const judge = (text: string) => judgeHead(Buffer.from(text, 'latin1'));
const GET = 'GET /ace/getstream?id=1 HTTP/1.1\r\n';

describe('the head of a request', () => {
  it.each([
    ['a whole head', `${GET}Host: a\r\n\r\n`, 'complete'],
    ['a head and what follows it', `${GET}\r\nGET /next HTTP/1.1\r\n\r\n`, 'complete'],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', 'complete'],
    ['HEAD', 'HEAD / HTTP/1.1\r\n\r\n', 'complete'],
    ['a part of the first line', 'GE', null],
    ['a head without its end', `${GET}Host: a\r\n`, null],
    ['the beginning of TLS', '\x16\x03\x01\x02', 'other'],
    ['a first line that is not HTTP', 'hello\r\n', 'other'],
    ['a first line of another version', 'PRI * HTTP/2.0\r\n\r\n', 'other'],
    ['a first line without a version', 'GET /\r\n\r\n', 'other'],
    ['lines that end without a carriage return', 'GET / HTTP/1.1\nHost: a\n\n', 'other'],
    ['an endless head', `${GET}X: ${'x'.repeat(20_000)}`, 'other'],
    ['an endless first line', `GET /${'x'.repeat(20_000)}`, 'other'],
    ['a head that is too large', `${GET}X: ${'x'.repeat(20_000)}\r\n\r\n`, 'other'],
  ])('%s', (_name, text, outcome) => {
    expect(judge(text)).toBe(outcome);
  });

  it('names the target as it was sent', () => {
    expect(targetOf(Buffer.from(`${GET}Host: a\r\n\r\n`))).toBe('/ace/getstream?id=1');
  });
});

describe('reading a head from a connection', () => {
  let server: Server;
  let client: Socket;
  let socket: Socket;

  beforeEach(async () => {
    server = createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    client = connect((server.address() as { port: number }).port, '127.0.0.1');
    client.on('error', () => undefined);
    [socket] = await accepted;
    socket.on('error', () => undefined);
  });

  afterEach(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });

  it('takes it in any number of parts, with what follows it', async () => {
    const head = readHead(socket, 10_000);
    client.write(GET);
    await once(socket, 'data');
    client.write('Host: a\r\n\r\nmore');
    expect(await head).toEqual({ outcome: 'complete', bytes: Buffer.from(`${GET}Host: a\r\n\r\nmore`) });
    expect(socket.isPaused()).toBe(true);
  });

  it('ends when the client leaves first', async () => {
    const head = readHead(socket, 10_000);
    client.end('GET /');
    expect((await head).outcome).toBe('gone');
  });

  it('ends at its time limit, however slowly the client sends', async () => {
    const head = readHead(socket, 50);
    client.write('GET /');
    expect((await head).outcome).toBe('late');
  });
});
