import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { EngineClient } from './client.js';
import { EngineBadReplyError, EngineTimeoutError, EngineUnreachableError } from './errors.js';
import { type EngineAnswer, deadAddress, failure, json, rawEngine, scriptedEngine } from '../../../test/doubles/engine-server.js';

describe('the status calls of an engine', () => {
  it('an engine that answers get_status with a result is healthy', async () => {
    const { address, requests } = await scriptedEngine((_request, response) =>
      json(response, '{"result": {"playlist_loaded": true, "version": {"code": "3017000", "platform": "linux", "version": "3.1.70"}}}'),
    );
    await expect(new EngineClient(address).getStatus()).resolves.toBeUndefined();
    expect(requests).toEqual(['/server/api?api_version=3&method=get_status']);
  });

  it.each([
    ['{"result": {"connected": true}}', true],
    ['{"result": {"connected": false}}', false],
    ['{"result": {"connected": 1}}', false],
    ['{"result": {"connected": "true"}}', false],
    ['{"result": {}}', false],
  ])('the engine reaches the Internet only when it reports true: %s', async (body, connected) => {
    const { address } = await scriptedEngine((_request, response) => json(response, body));
    expect(await new EngineClient(address).getNetworkConnectionStatus()).toBe(connected);
  });

  it.each<[string, EngineAnswer]>([
    ['a page instead of JSON', (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>busy</html>')],
    ['JSON cut short', (_request, response) => json(response, '{"result": {"playlist_lo')],
    ['a list', (_request, response) => json(response, '[]')],
    ['no result', (_request, response) => json(response, '{"error": null}')],
    ['a result that is no object', (_request, response) => json(response, '{"result": "ok"}')],
    ['nothing at all', (_request, response) => response.writeHead(200).end()],
    ['HTTP 503', (_request, response) => json(response, '{"result": {}}', 503)],
    ['HTTP 500 with words', (_request, response) => response.writeHead(500).end("Internal Server Error, couldn't find resource")],
    ['a redirect', (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
    [
      'fewer bytes than promised',
      (_request, response) => (response.writeHead(200, { 'content-length': 99 }).write('{'), response.socket?.destroySoon()),
    ],
  ])('an engine is unhealthy when it answers with %s', async (_name, answer) => {
    const { address } = await scriptedEngine(answer);
    const error = await failure(new EngineClient(address).getStatus());
    expect(error).toBeInstanceOf(EngineBadReplyError);
    expect(error.code).toBe('engine_bad_reply');
  });

  it('stops reading a reply that is too long', async () => {
    const { address } = await scriptedEngine((_request, response) => response.writeHead(200).write(Buffer.alloc(2 * 1024 * 1024, ' ')));
    const error = await failure(new EngineClient(address).getStatus());
    expect(error).toBeInstanceOf(EngineBadReplyError);
    expect(error.message).toContain('exceeded');
  });

  it('bytes that are not HTTP are a bad reply', async () => {
    const address = await rawEngine((socket) => socket.once('data', () => socket.end('HELLOTS version=3.2.11\r\n')));
    expect(await failure(new EngineClient(address).getStatus())).toBeInstanceOf(EngineBadReplyError);
  });

  it('reports a refused connection as unreachable', async () => {
    const error = await failure(new EngineClient(await deadAddress()).getStatus());
    expect(error).toBeInstanceOf(EngineUnreachableError);
    expect(error.message).toContain('ECONNREFUSED');
  });

  it('reports a reset connection as unreachable', async () => {
    const address = await rawEngine((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const error = await failure(new EngineClient(address).getStatus());
    expect(error).toBeInstanceOf(EngineUnreachableError);
    expect(error.code).toBe('engine_unreachable');
  });

  it('a silent engine is a timeout', async () => {
    const address = await rawEngine(() => undefined);
    const error = await failure(new EngineClient(address, { timeoutMs: 30 }).getStatus());
    expect(error).toMatchObject({ code: 'engine_timeout', phase: 'reply', limitMs: 30 });
    expect(error).toBeInstanceOf(EngineTimeoutError);
  });

  it('a reply that arrives too slowly is a timeout', async () => {
    const address = await rawEngine((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
      const trickle = setInterval(() => socket.write(' '), 5);
      socket.once('close', () => clearInterval(trickle));
    });
    expect(await failure(new EngineClient(address, { timeoutMs: 60 }).getStatus())).toMatchObject({ code: 'engine_timeout' });
  });

  it('rejects with the reason of a caller that aborts, and closes the connection', async () => {
    let arrived!: (socket: Socket) => void;
    const connected = new Promise<Socket>((resolve) => (arrived = resolve));
    const address = await rawEngine((socket) => socket.once('data', () => arrived(socket)));
    const caller = new AbortController();
    const call = failure(new EngineClient(address).getStatus(caller.signal));
    const socket = await connected;
    const reason = new Error('the viewer left');
    caller.abort(reason);
    expect(await call).toBe(reason);
    if (!socket.destroyed) await once(socket, 'close');
  });

  it('repeats a call when the engine has closed the idle connection', async () => {
    // Answers once per connection and resets it at the next request, like an idle connection that closes at the moment of its reuse.
    let served = 0;
    let reset = 0;
    const address = await rawEngine((socket) => {
      socket.once('data', () => {
        served += 1;
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"result": {}}');
        socket.once('data', () => {
          reset += 1;
          socket.resetAndDestroy();
        });
      });
    });
    const client = new EngineClient(address);
    await client.getStatus();
    await client.getStatus();
    expect({ served, reset }).toEqual({ served: 2, reset: 1 });
  });
});
