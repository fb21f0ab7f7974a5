import 'reflect-metadata';
import { Controller, Get, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createLog } from '../logging/log.js';
import { LimitedExpressAdapter, type ServerLimits } from './limited-adapter.js';
import { secureHeaders } from './secure-headers.js';

@Controller()
class SampleController {
  @Get()
  hello(): string {
    return 'hello';
  }

  @Get('written')
  written(): Buffer {
    return Buffer.from('{"text":"ü"}');
  }

  @Get('read')
  read(): object {
    return { text: 'ü' };
  }

  @Post('change')
  change(): object {
    return { text: 'ü' };
  }
}

@Module({ controllers: [SampleController] })
class SampleModule {}

describe('a server with limits', () => {
  const logged: string[] = [];
  const sockets: Socket[] = [];
  let app: NestExpressApplication;

  async function start(limits: Partial<ServerLimits> = {}, origins?: string): Promise<string> {
    const log = createLog({ service: 'sample', level: 'INFO', destination: { write: (line) => logged.push(line) } });
    const server = new LimitedExpressAdapter({ connections: 100, headersMs: 5000, requestMs: 5000, ...limits }, log);
    app = await NestFactory.create<NestExpressApplication>(SampleModule, server, { logger: false, forceCloseConnections: true });
    secureHeaders(app, origins);
    await app.listen(0, '127.0.0.1');
    return `http://127.0.0.1:${port()}/`;
  }
  const port = (): number => ((app.getHttpServer() as Server).address() as AddressInfo).port;

  /** Sends bytes and returns everything that the server answers until it closes the connection. */
  async function raw(bytes: string): Promise<string> {
    const socket = await open();
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket.write(bytes);
    await once(socket, 'close');
    return answer;
  }
  async function open(): Promise<Socket> {
    const socket = connect(port(), '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined); // a refused connection may be reset
    await once(socket, 'connect');
    return socket;
  }

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    logged.length = 0;
    await app.close();
  });

  it('answers too large headers with 431', async () => {
    await start();
    expect(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('closes a connection whose headers take too long, and serves others meanwhile', async () => {
    const url = await start({ headersMs: 300 });
    const slow = raw('GET / HTTP/1.1\r\nHost: x\r\n');
    expect(await (await fetch(url)).text()).toBe('hello');
    expect(await slow).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('closes a connection whose body takes too long', async () => {
    await start({ requestMs: 300 });
    expect(await raw('POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{')).toMatch(
      /^HTTP\/1\.1 408 /,
    );
  });

  it('closes connections beyond its limit, logs that once, and accepts new ones when others have closed', async () => {
    const url = await start({ connections: 3 });
    const held = await Promise.all([open(), open(), open()]);
    for (let index = 0; index < 5; index += 1) await raw('');
    expect(logged.filter((line) => line.includes('connection limit reached'))).toHaveLength(1);
    for (const socket of held) {
      socket.destroy();
      await once(socket, 'close');
    }
    // The server notices closed connections a little later.
    let answer: Response | null = null;
    while (answer === null) answer = await fetch(url, { headers: { Connection: 'close' } }).catch(() => null);
    expect(await answer.text()).toBe('hello');
  });

  it('closes although a client keeps a connection open', async () => {
    await start();
    const held = await open();
    await Promise.all([app.close(), once(held, 'close')]);
  });

  it('sends security headers and no CORS headers by default', async () => {
    const { headers } = await fetch(await start(), { headers: { Origin: 'https://other.example' } });
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
    expect(headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests');
    expect(headers.get('strict-transport-security')).toBeNull();
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  it('allows CORS for the given origins, and for no others', async () => {
    const url = await start({}, 'https://tv.example');
    const named = await fetch(url, { headers: { Origin: 'https://tv.example' } });
    expect(named.headers.get('access-control-allow-origin')).toBe('https://tv.example');
    const other = await fetch(url, { headers: { Origin: 'https://other.example' } });
    expect(other.headers.get('access-control-allow-origin')).not.toBe('https://other.example');
  });

  it('reports an invalid list of origins', () => {
    expect(() => secureHeaders({ disable: () => undefined, use: () => undefined } as never, 'tv.example/x')).toThrow(
      'must be origins such as',
    );
  });

  it('sends every answer as JSON with its length; only answers to reads have an ETag', async () => {
    const url = await start();
    const answers = await Promise.all([fetch(`${url}read`), fetch(`${url}written`), fetch(`${url}change`, { method: 'POST' })]);
    for (const { headers } of answers)
      expect([headers.get('content-type'), headers.get('content-length')]).toEqual(['application/json; charset=utf-8', '13']);
    expect(await Promise.all(answers.map((answer) => answer.json()))).toEqual(Array(3).fill({ text: 'ü' }));
    expect(answers.map(({ status, headers }) => [status, headers.has('etag')])).toEqual([
      [200, true],
      [200, true],
      [201, false],
    ]);
  });
});
