import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pollMs } from './hls-media.js';
import { type EnginePlaylist, MAX_LINE, MAX_SECONDS, MAX_SEGMENTS, parseEnginePlaylist } from './hls-playlist.js';

interface Case {
  what: string;
  text: string;
  error?: string;
  target?: number;
  seconds?: number[];
  master?: string;
}

/** What engines sent, and what the random playlists of this file found. `{A*3}` stands for `AAA`. */
const cases = JSON.parse(readFileSync(new URL('hls-playlist.corpus.json', import.meta.url), 'utf8')) as Case[];
const expand = (text: string): string =>
  text.replace(/\{([^*{]+)\*(\d+)\}/g, (_all, part: string, count: string) => part.repeat(Number(count)));

function outcomeOf(text: string): Omit<Case, 'what' | 'text'> {
  try {
    const playlist = parseEnginePlaylist(text);
    if (playlist.kind === 'master') return { master: playlist.url };
    return { target: playlist.target, seconds: playlist.segments.map(({ seconds }) => seconds) };
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return { error: (error as Error).message };
  }
}

describe('an HLS playlist of an engine', () => {
  it.each(cases)('with $what is read or refused with the reason', ({ text, ...expected }) => {
    const outcome = Object.fromEntries(Object.entries(expected).filter(([name]) => name !== 'what'));
    expect(outcomeOf(expand(text))).toEqual({ ...outcome, ...(expected.error && { error: expand(expected.error) }) });
  });

  it('of the longest lines that are read does not stop the process, whatever they contain', () => {
    for (const part of ['A', 'A=', '"', ',', '=",', 'A="', ' ', '\t', '-0']) {
      const line = `#EXT-X-KEY:METHOD=NONE,${part.repeat(MAX_LINE)}`.slice(0, MAX_LINE);
      const text = `#EXTM3U\n#EXT-X-TARGETDURATION:5\n${`${line}\n`.repeat(127)}`;
      expect(parseEnginePlaylist(text).kind).toBe('media');
    }
  }, 10_000);

  it('is read as it was written', () => {
    const url = fc.stringMatching(/^[a-z0-9:/._%?&=-]{1,200}$/);
    const written = fc.record({
      target: fc.integer({ min: 1, max: MAX_SECONDS }),
      sequence: fc.nat(),
      ended: fc.boolean(),
      segments: fc.array(
        fc.record({
          seconds: fc.integer({ min: 1, max: 600 }).map((tenths) => tenths / 10),
          url,
          title: fc.stringMatching(/^[ -~]{0,20}$/),
          key: fc.option(fc.record({ url, iv: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 })) })),
        }),
        { maxLength: 20 },
      ),
      lineEnd: fc.constantFrom('\n', '\r\n'),
    });
    fc.assert(
      fc.property(written, ({ target, sequence, ended, segments, lineEnd }) => {
        const lines = ['#EXTM3U', '#EXT-X-VERSION:3', `#EXT-X-TARGETDURATION:${target}`, `#EXT-X-MEDIA-SEQUENCE:${sequence}`];
        for (const { seconds, url, title, key } of segments) {
          const iv = key?.iv ? `,IV=0x${Buffer.from(key.iv).toString('hex')}` : '';
          lines.push(
            `#EXT-X-KEY:METHOD=${key ? `AES-128,KEYFORMAT="a,b=c",URI="${key.url}"${iv}` : 'NONE'}`,
            `#EXTINF:${seconds},${title}`,
            url,
          );
        }
        if (ended) lines.push('#EXT-X-ENDLIST');
        expect(parseEnginePlaylist(lines.join(lineEnd))).toEqual({
          kind: 'media',
          target,
          ended,
          segments: segments.map(({ seconds, url, key }, index) => ({
            sequence: sequence + index,
            seconds,
            url,
            key: key && { url: key.url, iv: key.iv && Buffer.from(key.iv) },
          })),
        } satisfies EnginePlaylist);
      }),
    );
  });

  it('has bounded numbers or causes a TypeError, whatever it contains', () => {
    const tag = fc.constantFrom('TARGETDURATION', 'MEDIA-SEQUENCE', 'KEY', 'STREAM-INF', 'ENDLIST', 'MAP', 'BYTERANGE');
    const value = fc.oneof(
      fc.string(),
      fc.double().map(String),
      fc.bigInt().map(String),
      fc.array(fc.constantFrom('METHOD', 'AES-128', 'URI', 'IV', '0x1', 'BANDWIDTH', '=', '"', ',', ' ')).map((parts) => parts.join('')),
    );
    const line = fc.oneof(
      fc.tuple(tag, value).map(([name, text]) => `#EXT-X-${name}:${text}`),
      value.map((text) => `#EXTINF:${text}`),
      value,
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), fc.constantFrom('\n', '\r\n', '\r'), (lines, lineEnd) => {
        let playlist: EnginePlaylist;
        try {
          playlist = parseEnginePlaylist(['#EXTM3U', '#EXT-X-TARGETDURATION:6', ...lines].join(lineEnd));
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          return;
        }
        if (playlist.kind === 'master') return;
        expect(playlist.target > 0 && playlist.target <= MAX_SECONDS).toBe(true);
        expect(playlist.segments.length).toBeLessThanOrEqual(MAX_SEGMENTS);
        for (const { sequence, seconds, key } of playlist.segments) {
          expect(Number.isSafeInteger(sequence)).toBe(true);
          expect(seconds > 0 && seconds <= MAX_SECONDS).toBe(true);
          expect(key?.iv?.length ?? 16).toBe(16);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is polled at most twice a second and at least every 5 s, whatever target duration it names', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, noNaN: true }), (target) => {
        expect(pollMs(target)).toBeGreaterThanOrEqual(500);
        expect(pollMs(target)).toBeLessThanOrEqual(5000);
      }),
    );
    expect(pollMs(6)).toBe(1500);
  });
});
