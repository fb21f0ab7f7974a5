import { createCipheriv } from 'node:crypto';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { EngineClient } from './client.js';
import { EngineBadReplyError, EngineRefusedError } from './errors.js';
import { parseEnginePlaylist } from './hls-playlist.js';
import { failure, scriptedEngine } from '../../../test/doubles/engine-server.js';

const PLAYLIST = 'http://elsewhere:1/ace/m/x/y.m3u8';
const media = (lines: string): string => `#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n${lines}`;

/** An engine that answers each path as given; other paths get 404. */
function engineOf(answers: Record<string, string | Buffer | (() => string | Buffer | number)>) {
  return scriptedEngine((request, response) => {
    const answer = answers[request.path];
    const value = typeof answer === 'function' ? answer() : answer;
    if (typeof value === 'number') response.writeHead(value).end('failed to get manifest');
    else if (value === undefined) response.writeHead(404).end('Not Found');
    else response.writeHead(200).end(value);
  });
}

async function all(stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString();
}

describe('an engine’s HLS as one stream', () => {
  it('has all segments in order, with a master playlist and URLs of all kinds, and ends with the playlist', async () => {
    const { address, requests } = await engineOf({
      '/ace/m/x/y.m3u8': '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/low.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2,CODECS="a,b"\nhigh/best.m3u8\n',
      '/ace/m/x/high/best.m3u8': media(
        '#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:0.3,\nhttp://10.0.0.1:9/c/7.ts\n#EXTINF:0.3,\n/c/8.ts\n#EXTINF:0.3,\r\n9.ts\n#EXT-X-ENDLIST\n',
      ),
      '/c/7.ts': 'seven ',
      '/c/8.ts': 'eight ',
      '/ace/m/x/high/9.ts': 'nine',
    });
    const stream = await new EngineClient(address).openHls(PLAYLIST, { firstPlaylistMs: 1000 });
    expect(await all(stream)).toBe('seven eight nine');
    expect(requests).toEqual(['/ace/m/x/y.m3u8', '/ace/m/x/high/best.m3u8', '/c/7.ts', '/c/8.ts', '/ace/m/x/high/9.ts']);
  });

  it('starts three segments before the live edge, reads each segment once and skips segments that are gone', async () => {
    let round = 0;
    const lists = [
      [0, 1, 2, 3, 4],
      [3, 4, 5],
      [4, 5, 6],
    ];
    const { address, requests } = await engineOf({
      '/ace/m/x/y.m3u8': () => {
        const list = lists[Math.min(round++, 2)];
        const end = round >= 3 ? '#EXT-X-ENDLIST\n' : '';
        return media(`#EXT-X-MEDIA-SEQUENCE:${list[0]}\n${list.map((number) => `#EXTINF:0.2,\n/c/${number}.ts\n`).join('')}${end}`);
      },
      '/c/2.ts': 'two ',
      '/c/3.ts': 'three ',
      '/c/5.ts': 'five ',
      '/c/6.ts': 'six',
    });
    const stream = await new EngineClient(address).openHls(PLAYLIST, { firstPlaylistMs: 1000 });
    expect(await all(stream)).toBe('two three five six');
    expect(requests.filter((path) => path.startsWith('/c/'))).toEqual(['/c/2.ts', '/c/3.ts', '/c/4.ts', '/c/5.ts', '/c/6.ts']);
  });

  it('decrypts segments with the key of the engine', async () => {
    const key = Buffer.from('0123456789abcdef');
    const seal = (text: string, iv: Buffer): Buffer => {
      const cipher = createCipheriv('aes-128-cbc', key, iv);
      return Buffer.concat([cipher.update(text), cipher.final()]);
    };
    const numbered = Buffer.alloc(16);
    numbered[15] = 5;
    const { address } = await engineOf({
      '/ace/m/x/y.m3u8': media(
        `#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-KEY:METHOD=AES-128,URI="/key"\n#EXTINF:0.2,\n5.ts\n#EXT-X-KEY:METHOD=AES-128,URI="/key",IV=0x${'ab'.repeat(16)}\n#EXTINF:0.2,\n6.ts\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:0.2,\n7.ts\n#EXT-X-ENDLIST\n`,
      ),
      '/key': key,
      '/ace/m/x/5.ts': seal('five ', numbered),
      '/ace/m/x/6.ts': seal('six ', Buffer.alloc(16, 0xab)),
      '/ace/m/x/7.ts': 'seven',
    });
    expect(await all(await new EngineClient(address).openHls(PLAYLIST, { firstPlaylistMs: 1000 }))).toBe('five six seven');
  });

  it('fails when the engine ends the session', async () => {
    let round = 0;
    const { address } = await engineOf({
      '/ace/m/x/y.m3u8': () => (round++ === 0 ? media('#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:0.1,\n/c/0.ts\n') : 403),
      '/c/0.ts': 'zero',
    });
    const stream = await new EngineClient(address).openHls(PLAYLIST, { firstPlaylistMs: 1000 });
    expect(await failure(all(stream))).toBeInstanceOf(EngineRefusedError);
  });

  it('ends when its signal aborts, whatever it waits for', async () => {
    const { address } = await engineOf({
      '/ace/m/x/y.m3u8': media('#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:60,\n/c/0.ts\n'),
      '/c/0.ts': Buffer.alloc(1_000_000),
    });
    const owner = new AbortController();
    const stream = await new EngineClient(address).openHls(PLAYLIST, { firstPlaylistMs: 1000, signal: owner.signal });
    stream.on('error', () => undefined).resume();
    await once(stream, 'data');
    owner.abort(new Error('over'));
    await new Promise((resolve) => stream.once('close', resolve));
  });

  it.each<[string, Record<string, string>]>([
    ['no playlist', { '/ace/m/x/y.m3u8': '<html>' }],
    ['a master that leads to a master', { '/ace/m/x/y.m3u8': '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/ace/m/x/y.m3u8\n' }],
    ['fragments of another format', { '/ace/m/x/y.m3u8': media('#EXT-X-MAP:URI="init.mp4"\n#EXTINF:1,\n1.m4s\n') }],
    ['an unsupported encryption', { '/ace/m/x/y.m3u8': media('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x"\n#EXTINF:1,\n1.ts\n') }],
  ])('is a bad reply when the engine sends %s', async (_what, answers) => {
    const { address } = await engineOf(answers);
    const error = await failure(new EngineClient(address).openHls(PLAYLIST, { firstPlaylistMs: 1000 }));
    expect(error).toBeInstanceOf(EngineBadReplyError);
  });

  it('waits for the first playlist no longer than its limit', async () => {
    const { address } = await scriptedEngine(() => undefined);
    expect(await failure(new EngineClient(address).openHls(PLAYLIST, { firstPlaylistMs: 50 }))).toMatchObject({ code: 'engine_timeout' });
  });

  it('reads the sequence numbers and durations of a playlist', () => {
    expect(parseEnginePlaylist(media('#EXT-X-MEDIA-SEQUENCE:3\n#EXTINF:5.76,title, with commas\na.ts\nb.ts\n'))).toEqual({
      kind: 'media',
      target: 2,
      ended: false,
      segments: [
        { sequence: 3, seconds: 5.76, url: 'a.ts', key: null },
        { sequence: 4, seconds: 2, url: 'b.ts', key: null },
      ],
    });
  });
});
