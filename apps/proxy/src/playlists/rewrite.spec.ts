import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseChoices } from '../http/getstream.request.js';
import { type ProxyLinks, proxyLinkOf, rewritePlaylist } from './rewrite.js';

const HEX = '0123456789abcdef0123456789ABCDEF01234567';
const low = HEX.toLowerCase();
const P: ProxyLinks = { base: 'http://proxy:8080', parameter: '' };
const CASES = readFileSync(new URL('links.cases.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('\t') as [string, string]);

const rewritten = async (text: string, links = P): Promise<string> => (await rewritePlaylist(Buffer.from(text), links)).toString();

describe('a line of a list of channels', () => {
  it.each(CASES)('%s becomes %s', async (line, becomes) => {
    expect(await rewritten(line)).toBe(becomes === 'unchanged' ? line : becomes.replaceAll('P/', `${P.base}/`));
  });

  it('with an AceStream link always becomes an address that getstream accepts', () => {
    for (const [line, becomes] of CASES) {
      if (becomes === 'unchanged' || line.startsWith('pipe:')) continue;
      const [address] = (proxyLinkOf(Buffer.from(line).toString('latin1'), P) ?? '').split('|', 1);
      expect(() => parseChoices(new URL(address).searchParams)).not.toThrow();
    }
  });

  it('gets the access token before the options for Kodi', async () => {
    expect(await rewritten(`acestream://${HEX}|User-Agent=VLC`, { ...P, parameter: 'token=t' })).toBe(
      `${P.base}/ace/getstream?id=${low}&token=t|User-Agent=VLC`,
    );
  });

  it('keeps the parameters for the engine and at most eight alternatives, and drops those for another player', () => {
    const link = `acestream://?id=${HEX}&pid=7&format=json&quality=720&alt=${'b'.repeat(40)},high&alt=infohash:${'c'.repeat(40)}`;
    expect(proxyLinkOf(link, P)).toBe(
      `${P.base}/ace/getstream?id=${low}&quality=720&alt=${'b'.repeat(40)}&alt=infohash%3A${'c'.repeat(40)}`,
    );
    const many = Array.from({ length: 9 }, (_, index) => `alt=${String(index).repeat(40)}`).join('&');
    expect(new URL(proxyLinkOf(`acestream:?id=${HEX}&${many}`, P)!).searchParams.getAll('alt')).toHaveLength(8);
  });
});

describe('a list of channels', () => {
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
    ['\r', ''],
    ['\r\n', '\xef\xbb\xbf'],
  ])('keeps every other byte (line end %j, before it %j)', async (end, mark) => {
    const bytes = Buffer.from(mark + list(end) + end, 'latin1');
    const link = `${P.base}/ace/getstream?id=${low}`;
    const wanted = (mark + list(end) + end)
      .replace(`  acestream://${HEX} `, `  ${link} `)
      .replace(`http://127.0.0.1:6878/ace/getstream?id=${HEX}`, link);
    expect((await rewritePlaylist(bytes, P)).toString('latin1')).toBe(wanted);
  });

  it('of any lines is the same in slices as line by line, and a line that is longer than a slice stays as it is', async () => {
    const link = fc.constantFrom(...CASES.map(([line]) => line));
    const long = fc.nat({ max: 150_000 }).map((length) => `x acestream://${HEX} `.padEnd(length, 'y'));
    const end = fc.constantFrom('\n', '\r\n', '\r');
    const lines = fc.array(fc.tuple(fc.oneof({ weight: 5, arbitrary: link }, long), end, fc.nat({ max: 1500 })), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(lines, async (parts) => {
        const text = parts.flatMap(([line, ending, count]) =>
          line.length > 1000 ? [line + ending] : Array<string>(count).fill(line + ending),
        );
        const apart = await Promise.all(text.map((line) => oneLine(line)));
        expect(await rewritten(text.join(''))).toBe(apart.join(''));
      }),
      { numRuns: 15 },
    );
  });

  /** Each distinct line is rewritten once. */
  const known = new Map<string, Promise<string>>();
  function oneLine(line: string): Promise<string> {
    const result = known.get(line) ?? rewritten(line);
    known.set(line, result);
    return result;
  }

  it('of megabytes is rewritten in slices of 64 KiB, between which other work runs', async () => {
    const playlist = Buffer.from(`#EXTINF:-1 group-title="g",x\nacestream://${HEX}\n`.repeat(50_000));
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns += 1;
      if (counting) setImmediate(count);
    };
    count();
    const result = await rewritePlaylist(playlist, P);
    counting = false;
    expect(turns).toBeGreaterThanOrEqual(Math.floor(playlist.length / 65_536));
    expect(result.toString().match(new RegExp(`^${P.base}/ace/getstream\\?id=${low}$`, 'gm'))).toHaveLength(50_000);
  });

  it('of any bytes is rewritten without an error, and rewriting it again changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...CASES), async (bytes, [line]) => {
        const once = await rewritePlaylist(Buffer.concat([bytes, Buffer.from(`\n${line}\n`), bytes]), P);
        expect((await rewritePlaylist(once, P)).equals(once)).toBe(true);
      }),
    );
  });
});
