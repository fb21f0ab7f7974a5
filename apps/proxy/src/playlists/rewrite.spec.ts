import { describe, expect, it } from 'vitest';
import { isPlaylist, proxyPathOf, rewritePlaylist } from './rewrite.js';
import { baseUrl, isAllowed, parseSources } from './sources.policy.js';

const HEX = '0123456789abcdef0123456789ABCDEF01234567';
const low = HEX.toLowerCase();
const BASE = 'http://proxy:8080';

describe('an AceStream link', () => {
  it.each([
    [`acestream://${HEX}`, `/ace/getstream?id=${low}`],
    [`acestream://${HEX}/`, `/ace/getstream?id=${low}`],
    [`ACESTREAM://${HEX}`, `/ace/getstream?id=${low}`],
    [HEX, `/ace/getstream?id=${low}`],
    [`acestream:?infohash=${HEX}`, `/ace/getstream?infohash=${low}`],
    [`acestream:?content_id=${HEX}&_idx=2`, `/ace/getstream?id=${low}&_idx=2`],
    [`acestream://?infohash=${HEX}`, `/ace/getstream?infohash=${low}`],
    [`magnet:?xt=urn:btih:${HEX}&dn=A+film`, `/ace/getstream?infohash=${low}`],
    [`http://127.0.0.1:6878/ace/getstream?id=${HEX}`, `/ace/getstream?id=${low}`],
    [`http://127.0.0.1:6878/ace/getstream?id=${HEX}&pid=7&format=json&_idx=1`, `/ace/getstream?id=${low}&_idx=1`],
    [
      `acestream://?id=${HEX}&alt=${'b'.repeat(40)}&alt=infohash:${'c'.repeat(40)}`,
      `/ace/getstream?id=${low}&alt=${'b'.repeat(40)}&alt=infohash%3A${'c'.repeat(40)}`,
    ],
    [`acestream://?id=${HEX}&alt=high`, `/ace/getstream?id=${low}`],
    [`http://engine:6878/ace/getstream?infohash=${HEX}&.mp4`, `/ace/getstream?infohash=${low}`],
    [`https://[::1]:6878/ace/manifest.m3u8?content_id=${HEX}`, `/ace/manifest.m3u8?id=${low}`],
    [`http://host:6878/hls/manifest.m3u8?infohash=${HEX}`, `/ace/manifest.m3u8?infohash=${low}`],
    [`http://aceproxy:8000/pid/${HEX}/stream.mp4`, `/ace/getstream?id=${low}`],
    [`http://aceproxy:8000/content_id/${HEX}/My%20channel.ts`, `/ace/getstream?id=${low}`],
    [`http://aceproxy:8000/infohash/${HEX}`, `/ace/getstream?infohash=${low}`],
    [`plugin://script.module.horus?action=play&id=${HEX}`, `/ace/getstream?id=${low}`],
  ])('%s becomes %s', (link, path) => expect(proxyPathOf(link)).toBe(path));

  it.each([
    'http://example.org/live.m3u8',
    `http://example.org/other?id=${HEX}`,
    'acestream://short',
    `acestream://${HEX}0`,
    'magnet:?xt=urn:btih:ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
    'http://127.0.0.1:6878/ace/getstream?url=http://x/y.torrent',
    'http://[broken/ace/getstream?id=1',
    'rtmp://x/y',
    '',
  ])('does not include %s', (link) => expect(proxyPathOf(link)).toBeNull());
});

describe('a playlist', () => {
  const list = (end: string): string =>
    [
      '#EXTM3U url-tvg="http://epg/x.xml.gz" x-tvg-url="http://epg/y"',
      `#EXTINF:-1 tvg-id="one" tvg-logo="http://logo/1.png" group-title="Sport" catchup="default" catchup-source="acestream://${HEX}",One, the first`,
      '#EXTVLCOPT:network-caching=1000',
      `  acestream://${HEX} `,
      '',
      '#EXTINF:-1,Zwei \xe4\xf6',
      `http://127.0.0.1:6878/ace/getstream?id=${HEX}`,
      '#KODIPROP:inputstream=inputstream.ffmpegdirect',
      'http://example.org/live.m3u8',
      '$&',
    ].join(end);

  it.each([
    ['\n', ''],
    ['\r\n', ''],
    ['\r\n', '\xef\xbb\xbf'],
  ])('keeps every other byte (line end %j, before it %j)', (end, mark) => {
    const bytes = Buffer.from(mark + list(end) + end, 'latin1');
    const link = `${BASE}/ace/getstream?id=${low}`;
    const wanted = (mark + list(end) + end)
      .replace(`  acestream://${HEX} `, `  ${link} `)
      .replace(`http://127.0.0.1:6878/ace/getstream?id=${HEX}`, link);
    expect(rewritePlaylist(bytes, BASE).toString('latin1')).toBe(wanted);
    expect(isPlaylist(bytes)).toBe(true);
  });

  it('with 20,000 entries is rewritten quickly', () => {
    const many = Buffer.from(`#EXTM3U\n${`#EXTINF:-1 group-title="g",x\nacestream://${HEX}\n`.repeat(20_000)}`);
    const before = performance.now();
    const lines = rewritePlaylist(many, BASE).toString().split('\n');
    expect(performance.now() - before).toBeLessThan(5000);
    expect(lines.filter((line) => line === `${BASE}/ace/getstream?id=${low}`)).toHaveLength(20_000);
  });

  it('is recognized by its first bytes', () => {
    expect(isPlaylist(Buffer.from('<html>'))).toBe(false);
  });
});

describe('the allowed sources', () => {
  const sources = parseSources('https://lists.example/tv/, http://one.example:81/a.m3u?k=1');

  it.each([
    ['https://lists.example/tv/all.m3u', true],
    ['https://lists.example/tv/', true],
    ['http://one.example:81/a.m3u?k=1', true],
    ['http://one.example:81/a.m3u', false],
    ['https://lists.example/tvx/all.m3u', false],
    ['https://lists.example/tv/../private', false],
    ['https://lists.example/tv/..%2Fprivate', false],
    ['https://lists.example/tv/..%5cprivate', false],
    ['http://lists.example/tv/all.m3u', false],
    ['https://lists.example.evil/tv/all.m3u', false],
    ['https://user@lists.example/tv/all.m3u', false],
    ['https://lists.example:444/tv/all.m3u', false],
  ])('%s: %s', (url, allowed) => expect(isAllowed(new URL(url), sources)).toBe(allowed));

  it('are none by default, and a value that is not a URL is named', () => {
    expect(isAllowed(new URL('http://x/'), parseSources(''))).toBe(false);
    expect(() => parseSources('lists.example')).toThrow('must be http(s) URLs separated by commas; "lists.example" is not an http(s) URL');
  });
});

describe('the base URL of the proxy', () => {
  const asked = {
    protocol: 'http',
    host: 'tv:8080',
    forwardedProto: undefined,
    forwardedHost: undefined,
    forwardedPrefix: undefined,
    local: { address: '::ffff:10.0.0.5', port: 8080 },
  };

  it('comes from the Host header, the X-Forwarded headers, or the local address', () => {
    expect(baseUrl(asked)).toBe('http://tv:8080');
    expect(baseUrl({ ...asked, forwardedProto: 'https, http', forwardedHost: 'tv.example', forwardedPrefix: '/acexy/' })).toBe(
      'https://tv.example/acexy',
    );
    expect(baseUrl({ ...asked, host: undefined })).toBe('http://10.0.0.5:8080');
    expect(baseUrl({ ...asked, host: undefined, local: { address: 'fd00::1', port: 80 } })).toBe('http://[fd00::1]:80');
    expect(baseUrl({ ...asked, host: '[::1]:8080' })).toBe('http://[::1]:8080');
  });

  it('is never an invalid value', () => {
    expect(baseUrl({ ...asked, forwardedHost: 'a b"\nx', forwardedProto: 'javascript', forwardedPrefix: '/../"' })).toBe('http://tv:8080');
  });
});
