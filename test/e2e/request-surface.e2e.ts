/** Random requests to the proxy. One file of more than 300 lines, because all tests share the generators and one pair. */
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ScriptedServer } from '../doubles/scripted-server.js';
import { Pair, contentId } from '../support/pair.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

/** Number of requests; `FUZZ_RUNS=100000` is the long form. A failing request is reduced and printed with its seed. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 500);
const LIMIT_MS = Math.max(60_000, RUNS * 60);
/** A complete request is answered, or its connection closed, within this time (ms). The client closes incomplete requests after a moment. */
const ANSWER_MS = 15_000;
const MOMENT_MS = 50;

interface FuzzRequest {
  method: string;
  path: string;
  query: [string, string][];
  version: string;
  headers: [string, string][];
  body: string;
  /** What the client does after it sent everything. */
  then: 'waits' | 'hangs up' | 'closes its half';
}

const HEX = contentId(1);
const PATHS = ['/ace/getstream', '/ace/manifest.m3u8', '/ace/status', '/ace/hls/x/1.ts', '/playlist.m3u', '/', '/health', '/metrics'];
const NAMES = [
  'id',
  'infohash',
  'pid',
  'sid',
  'url',
  'direct_url',
  'magnet',
  '_idx',
  'quality',
  'hls',
  'format',
  'alt',
  'token',
  'content_id',
];
const HEADERS = [
  'Range',
  'Connection',
  'Transfer-Encoding',
  'Content-Length',
  'Expect',
  'Upgrade',
  'Host',
  'X-Forwarded-Host',
  'Authorization',
];
const STRANGE = [
  '',
  '%',
  '%00',
  '%ff%fe',
  '../',
  '..%2f',
  '\\',
  '//',
  '?',
  '#',
  '&',
  '=',
  '\u00e4',
  ' ',
  '\t',
  '"',
  '<',
  '{',
  '[::1]',
  '__proto__',
];

const strange = fc.oneof(
  fc.constantFrom(...STRANGE),
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.nat({ max: 20_000 }).map((length) => 'x'.repeat(length)),
);
const value = fc.oneof(
  strange,
  fc.constantFrom(
    HEX,
    HEX.toUpperCase(),
    HEX.slice(1),
    `${HEX}0`,
    `${HEX.slice(1)}g`,
    ` ${HEX}`,
    `${HEX}\n`,
    '0',
    '-1',
    '1e9',
    'http://127.0.0.1/',
  ),
);
const line = fc.string({ maxLength: 30 }).map((text) => text.replace(/[\r\n]/g, ''));
const header = fc.tuple(
  fc.oneof(fc.constantFrom(...HEADERS), line),
  fc.oneof(
    line,
    fc.constantFrom('close', 'keep-alive', 'chunked', '100-continue', 'websocket', 'bytes=0-', '5', '-1', 'Bearer x', 'x'.repeat(9000)),
  ),
);
const anyRequest: fc.Arbitrary<FuzzRequest> = fc.record({
  method: fc.oneof(
    { weight: 4, arbitrary: fc.constant('GET') },
    fc.constantFrom('HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'CONNECT', 'get', ''),
    line,
  ),
  path: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...PATHS) },
    fc.tuple(fc.constantFrom(...PATHS), strange).map((parts) => parts.join('')),
    fc.tuple(fc.constantFrom('/', '/ace/', '', 'http://x/'), strange).map((parts) => parts.join('')),
  ),
  query: fc.array(fc.tuple(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...NAMES) }, strange), value), { maxLength: 4 }),
  version: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom('HTTP/1.1', 'HTTP/1.0') },
    fc.constantFrom('HTTP/0.9', 'HTTP/2.0', 'HTTP/1.1x', ''),
  ),
  headers: fc.array(header, { maxLength: 4 }),
  body: fc.oneof({ weight: 3, arbitrary: fc.constant('') }, strange),
  then: fc.constantFrom('waits', 'waits', 'hangs up', 'closes its half'),
});

function bytesOf({ method, path, query, version, headers, body }: FuzzRequest, escaped: boolean): Buffer {
  const escape = escaped ? encodeURIComponent : (text: string) => text;
  const search = query.map(([name, text]) => `${escape(name)}=${escape(text)}`).join('&');
  const lines = headers.map(([name, text]) => `${name}: ${text}\r\n`).join('');
  return Buffer.from(`${method} ${path}${query.length > 0 ? '?' : ''}${search} ${version}\r\nHost: x\r\n${lines}\r\n${body}`);
}

/** Whether the request names a content and only allowed parameters. Only then may an engine get a request. Parsed independently of the product. */
function namesContent(request: string): boolean {
  const given = [...request.matchAll(/[?&]([^=&\s#]*)=([^&\s#]*)/g)]
    .map(([, name, text]) => ({ name: decoded(name).toLowerCase(), text: decoded(text).trim() }))
    .filter(({ text }) => text !== '');
  const ids = given.filter(({ name }) => ['id', 'content_id', 'infohash'].includes(name));
  return (
    /^GET /.test(request) &&
    ids.length > 0 &&
    ids.every(({ text }) => /^[0-9a-f]{40}$/i.test(text)) &&
    !given.some(({ name }) => ['sid', 'url', 'direct_url', 'magnet'].includes(name))
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

describe('for any request', () => {
  let pair: Pair;
  const source = new ScriptedServer((response) => response.end(`#EXTM3U\n#EXTINF:-1,One\nacestream://${HEX}\n`));
  const fetched = (): string[] => source.requests.map(({ path }) => path);

  beforeAll(async () => {
    await source.listen();
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '1', MIN_PROVISION_INTERVAL_S: '0.05', LOG_LEVEL: 'INFO' },
      // A stream that starts by mistake stays visible.
      proxy: { ACEXY_LINGER: '1s', ACEXY_PLAYLIST_SOURCES: `${source.url}/tv/`, ACEXY_LOG_LEVEL: 'INFO' },
    });
    await until('an engine', async () => (await pair.engines()).length >= 1);
  });
  afterAll(async () => {
    await pair?.stop();
    await source.kill();
  });

  const files = (): number => readdirSync(`/proc/${pair.proxy.pid}/fd`).length;
  const memory = async (): Promise<number> =>
    Number(/^process_resident_memory_bytes (\S+)/m.exec(await (await fetch(`${pair.proxyUrl}/metrics`)).text())?.[1]);
  const streams = async (): Promise<number> => ((await (await fetch(`${pair.proxyUrl}/ace/status`)).json()) as { streams: number }).streams;

  /** Sessions that engines started so far. */
  const sessions = async (): Promise<number> => {
    const all = await pair.engineMetrics();
    return all.reduce((sum, { sessions: { opened } }) => sum + opened, 0);
  };

  /** The reply of the proxy; null if the client did not wait for it. */
  function send(bytes: Buffer, then: FuzzRequest['then'], waitMs: number): Promise<string | null> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: pair.proxyPort, host: '127.0.0.1', allowHalfOpen: then === 'closes its half' });
      let heard = '';
      const done = (answer: string | null): void => {
        clearTimeout(limit);
        socket.destroy();
        resolve(answer);
      };
      const limit = setTimeout(() => (waitMs >= ANSWER_MS ? reject(new Error('no answer')) : done(null)), waitMs);
      socket.on('error', () => done(heard)).on('close', () => done(heard));
      socket.setEncoding('latin1').on('data', (text: string) => {
        heard += text;
        if (heard.includes('\r\n\r\n')) done(heard);
      });
      socket.on('connect', () => {
        socket.write(bytes);
        if (then === 'closes its half') socket.end();
        if (then === 'hangs up') done(null);
      });
    });
  }

  it(
    'nothing crashes, no reply is 500, and no engine gets a request without a content',
    async () => {
      const before = { files: files(), memory: await memory() };
      await fc.assert(
        fc.asyncProperty(anyRequest, fc.boolean(), async (request, escaped) => {
          const bytes = bytesOf(request, escaped);
          fc.pre(!namesContent(bytes.toString()));
          // A request that announces a body may wait for it.
          const complete = !/content-length|transfer-encoding|expect|upgrade/i.test(bytes.toString()) && request.body === '';
          const answer = await send(bytes, request.then, complete ? ANSWER_MS : MOMENT_MS);
          if (answer !== null && answer !== '')
            expect(Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1])).toSatisfy((status: number) => status >= 100 && status !== 500);
          expect(await streams()).toBe(0);
        }),
        { numRuns: RUNS },
      );
      await expectWellAfter(before);
    },
    LIMIT_MS,
  );

  it(
    'only allowed playlists are fetched, in every spelling of the address',
    async () => {
      const { port } = source;
      const from = fc.constantFrom(
        source.url,
        `http://localhost:${port}`,
        `http://x@127.0.0.1:${port}`,
        `http:127.0.0.1:${port}`,
        `http://127.1:${port}`,
        `//127.0.0.1:${port}`,
      );
      const part = fc.oneof(
        fc.constantFrom(
          '/tv/',
          '/tv',
          '/private',
          '..',
          '/..',
          '%2e%2e',
          '%2f',
          '%5c',
          '\\',
          '/',
          '.',
          '?',
          '#',
          '@',
          ';',
          '\t',
          '\n',
          'tv',
        ),
        fc.string({ maxLength: 4 }),
      );
      const path = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(''));
      await fc.assert(
        fc.asyncProperty(from, path, async (start, rest) => {
          source.requests.length = 0;
          const reply = await fetch(`${pair.proxyUrl}/playlist.m3u?url=${encodeURIComponent(start + rest)}`);
          await reply.arrayBuffer();
          expect([200, 400, 403, 502]).toContain(reply.status);
          for (const path of fetched().map((url) => url.replace(/\?.*$/, ''))) {
            expect(path).toMatch(/^\/tv\/(?!.*(%2f|%5c|\\))/i);
            expect(decoded(path)).not.toMatch(/\/\.\.(\/|$)/);
          }
        }),
        { numRuns: Math.ceil(RUNS / 5) },
      );
      expect((await fetch(`${pair.proxyUrl}/playlist.m3u?url=${encodeURIComponent(`${source.url}/tv/a.m3u`)}`)).status).toBe(200);
    },
    LIMIT_MS,
  );

  it(
    'a content among other parameters plays as one engine session and leaves nothing behind',
    async () => {
      const before = { files: files(), memory: await memory() };
      const opened = await sessions();
      const noise = fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 9 }), fc.string({ maxLength: 9 })), { maxLength: 3 });
      const withoutSelectors = (pairs: [string, string][]) => pairs.filter(([name]) => !NAMES.includes(name.trim().toLowerCase()));
      await fc.assert(
        fc.asyncProperty(noise, noise, async (first, second) => {
          const query = new URLSearchParams([...withoutSelectors(first), ['id', HEX], ...withoutSelectors(second)]);
          const answer = await send(Buffer.from(`GET /ace/getstream?${query.toString()} HTTP/1.1\r\nHost: x\r\n\r\n`), 'waits', ANSWER_MS);
          expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
          expect(await streams()).toBe(1);
        }),
        { numRuns: Math.ceil(RUNS / 20) },
      );
      expect((await sessions()) - opened).toBe(1);
      await expectWellAfter(before);
    },
    LIMIT_MS,
  );

  /** Checks that it still plays, with the same resources as before. */
  async function expectWellAfter(before: { files: number; memory: number }): Promise<void> {
    await until('the last stream has ended', async () => (await streams()) === 0);
    await until('every connection is closed', () => Promise.resolve(files() <= before.files + 10), 20_000);
    expect(pair.proxy.log).not.toMatch(/"level":"ERROR"|unhandled rejection/);
    if (RUNS >= 10_000) expect(await memory()).toBeLessThan(before.memory + 150 * 1024 * 1024);
    const viewer = await Viewer.open(pair.streamUrl(contentId(99)), { keep: false });
    await viewer.untilBytes(200_000);
    await viewer.leave();
    await until('this stream has ended too', async () => (await streams()) === 0);
  }
});
