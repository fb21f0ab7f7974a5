import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlaybackRequestError, parseChoices, parseGetstream } from './getstream.request.js';
import { readQuery } from './query.js';
import { cleanTarget, readTarget } from './request-target.js';

const HEX = 'A1'.repeat(20);
const parse = (query: string) => parseGetstream(readQuery(query));

const CASES = readFileSync(new URL('getstream.cases.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('\t') as [string, string]);

describe('a request from the field', () => {
  it.each(CASES)('%s: %s', (target, read) => {
    expect(cleanTarget(target)).toMatch(/^\/ace\/getstream\/?\?/);
    const selector = () => parseChoices(readTarget(target).query)[0].selector;
    if (read === 'id' || read === 'infohash')
      expect(selector()).toEqual({ type: read === 'id' ? 'content_id' : 'infohash', value: 'b'.repeat(40) });
    else expect(selector).toThrow(read);
  });
});

describe('the query of getstream', () => {
  it('selects a content by id or infohash, in lower case', () => {
    expect(parse(`id=${HEX}`).selector).toEqual({ type: 'content_id', value: HEX.toLowerCase() });
    expect(parse(`infohash=${HEX}`).selector).toEqual({ type: 'infohash', value: HEX.toLowerCase() });
  });

  it('separates parameters that make another session from those that are passed on, and drops the rest', () => {
    const content = parse(
      `id=${HEX}&_idx=2&Quality=720&Transcode_MP3=1&preferred_audio_language=eng&hlc=&pid=1&format=json&use_api_events=1&anything=1`,
    );
    expect(content.variant).toEqual({ _idx: '2', quality: '720', transcode_mp3: '1' });
    expect(content.hints).toEqual({ preferred_audio_language: 'eng' });
  });

  it('may name alternatives, each once, in order, with the same parameters', () => {
    const [b, c] = ['b'.repeat(40), 'c'.repeat(40)];
    const choices = parseChoices(readQuery(`id=${HEX}&alt=${b},%20infohash:${c.toUpperCase()},&alt=id:${HEX}&alt=${b}&alt=&_idx=1`));
    expect(choices.map(({ selector: { type, value } }) => [type, value])).toEqual([
      ['content_id', HEX.toLowerCase()],
      ['content_id', b],
      ['infohash', c],
    ]);
    expect(choices.every(({ variant }) => variant._idx === '1')).toBe(true);
    expect(() => parseChoices(readQuery(`id=${HEX}&alt=x`))).toThrow('"alt" must be 40');
    expect(() => parseChoices(readQuery(`id=${HEX}&alt=pid:${b}`))).toThrow('"alt" must be 40');
    expect(() => parseChoices(readQuery(`id=${HEX}${`&alt=${b}`.repeat(9)}`))).toThrow('"alt" has 9 contents: at most 8 are allowed');
  });

  it.each([
    ['', '"id" and "infohash"'],
    [`id=${HEX}&infohash=${HEX}`, 'only one'],
    ['infohash=xyz', '"infohash" must be 40 hexadecimal digits, but is "xyz"'],
    [`id=${HEX}0`, '"id" must be 40'],
    [`id=${'x'.repeat(300)}`, `but is "${'x'.repeat(60)}…"`],
    [`id=${HEX}&sid=1`, '"sid"'],
    [`id=${HEX}&URL=http://x`, '"url"'],
    [`id=${HEX}&direct_url=http://x`, '"direct_url"'],
    [`id=${HEX}&magnet=magnet:`, '"magnet"'],
    [`id=${HEX}&_idx=1&_idx=2`, '"_idx" is given 2 times with different values: give it once'],
    [`id=${HEX}&quality=${'9'.repeat(300)}`, '"quality" has 300 characters'],
  ])('rejects "%s" and names the parameter', (query, text) => {
    expect(() => parse(query)).toThrow(PlaybackRequestError);
    expect(() => parse(query)).toThrow(text);
  });
});

describe('any request', () => {
  const UNSEEN = ['', ' ', '\n', '\u00a0', '\ufeff', '\u200b', '\u2060'];
  const unseen = fc.array(fc.constantFrom(...UNSEEN), { maxLength: 3 }).map((parts) => parts.join(''));
  const slashes = fc.nat({ max: 3 }).map((more) => '/'.repeat(1 + more));
  const anyCase = (text: string) =>
    fc
      .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
      .map((upper) => [...text].map((c, i) => (upper[i] ? c.toUpperCase() : c)).join(''));
  const ignored = fc.constantFrom('pid=7', 'url=', 'infohash=%20', 'name=a%7Cb', 'format=json', 'amp;x=1', '', '=');
  const tail = fc.constantFrom('', '|User-Agent=VLC', '%7CReferer=x&id=y', '|', '#part');

  it('for a content is read the same in every spelling', () => {
    fc.assert(
      fc.property(
        fc.tuple(slashes, slashes, fc.nat({ max: 2 })),
        fc.constantFrom('id', 'content_id').chain(anyCase),
        anyCase('ab01cdef'.repeat(5)),
        fc.tuple(unseen, unseen),
        fc.array(ignored, { maxLength: 3 }),
        tail,
        ([first, second, last], name, id, [before, after], others, end) => {
          const path = `${first}ace${second}getstream${'/'.repeat(last)}`;
          const parameters = [...others, `${name}=${encodeURIComponent(before)}${id}${encodeURIComponent(after)}${end}`];
          const target = `${path}?${parameters.join('&')}`;
          expect(cleanTarget(target).startsWith(`/ace/getstream${last > 0 ? '/' : ''}?`)).toBe(true);
          expect(parseChoices(readTarget(target).query)).toEqual([
            { selector: { type: 'content_id', value: 'ab01cdef'.repeat(5) }, variant: {}, hints: {} },
          ]);
        },
      ),
    );
  });

  it('is either read, or refused with an error that says why', () => {
    const words = CASES.flatMap(([target]) => target.split(/(?<=[/?&=|])/));
    const target = fc
      .array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 5 })), { maxLength: 8 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(target, (text) => {
        expect(cleanTarget(cleanTarget(text))).toBe(cleanTarget(text));
        try {
          parseChoices(readTarget(text).query);
        } catch (error) {
          expect(error).toBeInstanceOf(PlaybackRequestError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it.each(['/', '&', '&amp;', '&id=', '&alt=,', '%', '%25', '|', '\u200b', 'id=a&', '?', '#', `&id=${HEX}`, `${'a'.repeat(39)}g`])(
    'of half a megabyte of %j is read in time that grows with its length only',
    (part) => {
      const text = part.repeat(Math.ceil(500_000 / part.length));
      for (const target of [text, `/ace/getstream?id=${text}`, `/ace/getstream?id=${HEX}&alt=${text}`, `/t/${text}?token=${text}`]) {
        cleanTarget(target);
        try {
          parseChoices(readTarget(target).query);
        } catch (error) {
          expect(error).toBeInstanceOf(PlaybackRequestError);
        }
      }
    },
    60_000,
  );
});
