import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { EngineClient } from './client.js';
import { EngineBadReplyError, EngineRefusedError, EngineStillPreparingError, EngineUnreachableError } from './errors.js';
import type { MediaReply } from './media-reply.js';
import { type EngineAnswer, deadAddress, failure, rawEngine, scriptedEngine } from '../../../test/doubles/engine-server.js';

const PATH = '/ace/r/ab/cd';
const PACKET = Buffer.alloc(188, 0x47);

function open(
  address: { host: string; port: number },
  options: { signal?: AbortSignal; headersTimeoutMs?: number } = {},
): Promise<MediaReply> {
  return new EngineClient(address).openMedia(PATH, { headersTimeoutMs: 2000, ...options });
}

describe('opening the media', () => {
  it('follows redirects on the engine itself, whatever host they name, and delivers the bytes unchanged', async () => {
    const { address, requests, headers } = await scriptedEngine((request, response) => {
      if (request.path === PATH) response.writeHead(302, { location: 'http://10.1.2.3:6878/content/ab/0.42' }).end('moved');
      else if (request.path === '/content/ab/0.42') response.writeHead(302, { location: '../cd/final?x=1' }).end();
      else response.writeHead(200, { 'content-type': 'video/mp2t' }).end(PACKET);
    });
    const media = await open(address);
    const [bytes] = (await once(media, 'data')) as [Buffer];
    expect(bytes.equals(PACKET)).toBe(true);
    expect(requests).toEqual([PATH, '/content/ab/0.42', '/content/cd/final?x=1']);
    expect(headers.map((each) => each['accept-encoding'])).toEqual(['identity', 'identity', 'identity']);
    expect(headers[2].host).toBe(`127.0.0.1:${address.port}`);
  });

  it.each<[string, string]>([
    ['206', 'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-/*\r\n'],
    ['a length that no stream has', 'HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n'],
    ['the status line of Shoutcast', 'ICY 200 OK\r\nicy-name: channel\r\n'],
  ])('plays media with %s', async (_what, head) => {
    const address = await rawEngine((socket) => socket.once('data', () => socket.end(Buffer.concat([Buffer.from(`${head}\r\n`), PACKET]))));
    const media = await open(address);
    const [bytes] = (await once(media, 'data')) as [Buffer];
    expect(bytes.equals(PACKET)).toBe(true);
    media.resume();
    await once(media, 'end');
  });

  it('quotes no bytes of media in an error, whatever the engine sends', async () => {
    let sent = Buffer.alloc(0);
    const address = await rawEngine((socket) => socket.once('data', () => socket.end(sent)));
    const status = fc.constantFrom('200 OK', '206 Partial Content', '302 Found', '403 Forbidden', '500 Oops');
    const type = fc.constantFrom('text/html', 'application/json', 'video/mp2t');
    const bytes = fc
      .uint8Array({ minLength: 188, maxLength: 400 })
      .map((rest) => Buffer.concat([Buffer.from([0x47, 0x00, 0xff, 0x10]), rest]));
    await fc.assert(
      fc.asyncProperty(status, type, bytes, async (line, contentType, body) => {
        sent = Buffer.concat([Buffer.from(`HTTP/1.1 ${line}\r\nContent-Type: ${contentType}\r\n\r\n`), body]);
        const calls = [open(address).then((media) => media.destroy()), new EngineClient(address).getStatus()];
        for (const outcome of await Promise.allSettled(calls)) {
          const error = outcome.status === 'rejected' ? (outcome.reason as Error) : null;
          // A message is plain text on one line.
          const message = `${error?.message ?? ''} ${String(error?.cause ?? '')}`;
          expect(message).toMatch(/^\P{Cc}*$/u);
          expect(message).not.toContain('\uFFFD');
        }
      }),
      { numRuns: 60 },
    );
  });

  it('stops after five redirects', async () => {
    const { address, requests } = await scriptedEngine((_request, response) => response.writeHead(302, { location: PATH }).end());
    const call = new EngineClient(address).openMedia(PATH, { headersTimeoutMs: 2000 });
    expect(await failure(call)).toBeInstanceOf(EngineBadReplyError);
    expect(requests).toHaveLength(6);
  });

  it.each([undefined, 'http://[oops', 'ftp://stranger/x'])('a redirect to %s is a bad reply', async (location) => {
    const { address } = await scriptedEngine((_request, response) => response.writeHead(302, location ? { location } : {}).end());
    expect(await failure(open(address))).toBeInstanceOf(EngineBadReplyError);
  });

  it.each(['download not found', 'start timeout'])('a 500 with "%s" means that the engine is still preparing', async (words) => {
    const { address } = await scriptedEngine((_request, response) => response.writeHead(500, { 'content-type': 'text/plain' }).end(words));
    const error = await failure(open(address));
    expect(error).toBeInstanceOf(EngineStillPreparingError);
    expect(error).toMatchObject({ code: 'engine_still_preparing', reason: words });
  });

  it.each<[string, EngineAnswer, string]>([
    ['a 403 after being superseded', (_request, response) => response.writeHead(403).end('forbidden'), 'forbidden'],
    ['a 500 with another text', (_request, response) => response.writeHead(500).end("couldn't find resource"), "couldn't find resource"],
    ['a 404 without a text', (_request, response) => response.writeHead(404).end(), 'HTTP 404'],
    ['an endless error page', (_request, response) => response.writeHead(500).write('x'.repeat(100_000)), 'xxx'],
  ])('%s is a refusal', async (_name, answer, words) => {
    const { address } = await scriptedEngine(answer);
    const error = await failure(open(address));
    expect(error).toBeInstanceOf(EngineRefusedError);
    expect((error as EngineRefusedError).reason).toContain(words);
  });

  it('a page with status 200 is a bad reply', async () => {
    const { address } = await scriptedEngine((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<p>sorry</p>'),
    );
    expect(await failure(open(address))).toBeInstanceOf(EngineBadReplyError);
  });

  it('the doubled status line that a second reader gets is a bad reply', async () => {
    const address = await rawEngine((socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n')),
    );
    const error = await failure(open(address));
    expect(error).toBeInstanceOf(EngineBadReplyError);
    expect(error.message).toContain('malformed HTTP');
  });

  it('waits for the headers no longer than the limit, redirects included', async () => {
    const { address } = await scriptedEngine((request, response) => {
      if (request.path === PATH) response.writeHead(302, { location: '/content/held' }).end();
    });
    expect(await failure(open(address, { headersTimeoutMs: 50 }))).toMatchObject({ code: 'engine_timeout', phase: 'headers', limitMs: 50 });
  });

  it('has no limit after the headers', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    let deliver!: () => void;
    const { address } = await scriptedEngine((_request, response) => {
      response.writeHead(200, { 'content-type': 'video/mp2t' }).flushHeaders();
      deliver = () => response.end(PACKET);
    });
    const media = await open(address, { headersTimeoutMs: 40 });
    vi.advanceTimersByTime(60_000);
    deliver();
    expect(((await once(media, 'data')) as [Buffer])[0]).toHaveLength(188);
  });

  it('reports a refused connection as unreachable', async () => {
    expect(await failure(open(await deadAddress()))).toBeInstanceOf(EngineUnreachableError);
  });

  it('rejects with the reason of a caller that aborts', async () => {
    const caller = new AbortController();
    const reason = new Error('the last viewer left');
    const address = await rawEngine((socket) => socket.once('data', () => caller.abort(reason)));
    expect(await failure(open(address, { signal: caller.signal }))).toBe(reason);
  });

  it('ends open media when the signal aborts, and closes the connection', async () => {
    const engine = await scriptedEngine((_request, response) => response.writeHead(200, { 'content-type': 'video/mp2t' }).write(PACKET));
    const caller = new AbortController();
    const media = await open(engine.address, { signal: caller.signal });
    media.resume();
    const failed = once(media, 'error') as Promise<[Error]>;
    const closed = once([...engine.connections][0], 'close');
    caller.abort();
    expect((await failed)[0].name).toBe('AbortError');
    await closed;
  });
});
