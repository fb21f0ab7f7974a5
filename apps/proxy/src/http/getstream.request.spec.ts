import { describe, expect, it } from 'vitest';
import { PlaybackRequestError, parseChoices, parseGetstream } from './getstream.request.js';

const HEX = 'A1'.repeat(20);
const parse = (query: string) => parseGetstream(new URLSearchParams(query));

describe('the query of getstream', () => {
  it('selects a content by id or infohash, in lower case', () => {
    expect(parse(`id=${HEX}`).selector).toEqual({ type: 'content_id', value: HEX.toLowerCase() });
    expect(parse(`infohash=${HEX}`).selector).toEqual({ type: 'infohash', value: HEX.toLowerCase() });
  });

  it('separates parameters that make another session from those that are passed on, and drops the rest', () => {
    const content = parse(`id=${HEX}&_idx=2&quality=720&transcode_mp3=1&preferred_audio_language=eng&format=json&anything=1`);
    expect(content.variant).toEqual({ _idx: '2', quality: '720', transcode_mp3: '1' });
    expect(content.hints).toEqual({ preferred_audio_language: 'eng' });
  });

  it('may name alternatives, each once, in order, with the same parameters', () => {
    const [b, c] = ['b'.repeat(40), 'c'.repeat(40)];
    const choices = parseChoices(new URLSearchParams(`id=${HEX}&alt=${b},infohash:${c.toUpperCase()}&alt=id:${HEX}&alt=${b}&_idx=1`));
    expect(choices.map(({ selector: { type, value } }) => [type, value])).toEqual([
      ['content_id', HEX.toLowerCase()],
      ['content_id', b],
      ['infohash', c],
    ]);
    expect(choices.every(({ variant }) => variant._idx === '1')).toBe(true);
    expect(() => parseChoices(new URLSearchParams(`id=${HEX}&alt=x`))).toThrow('"alt" must be 40');
    expect(() => parseChoices(new URLSearchParams(`id=${HEX}&alt=`))).toThrow('"alt" must be 40');
    expect(() => parseChoices(new URLSearchParams(`id=${HEX}${`&alt=${b}`.repeat(9)}`))).toThrow(
      '"alt" has 9 contents: at most 8 are allowed',
    );
  });

  it.each([
    ['', '"id" and "infohash"'],
    [`id=${HEX}&infohash=${HEX}`, 'only one'],
    [`id=${HEX}&id=${HEX}`, '"id" is given 2 times: give it once'],
    ['id=', '"id" must be 40'],
    ['infohash=xyz', '"infohash" must be 40'],
    [`id=${HEX}0`, '"id" must be 40'],
    [`id=${HEX}&pid=1`, '"pid"'],
    [`id=${HEX}&sid=1`, '"sid"'],
    [`id=${HEX}&url=http://x`, '"url"'],
    [`id=${HEX}&direct_url=http://x`, '"direct_url"'],
    [`id=${HEX}&magnet=magnet:`, '"magnet"'],
    [`id=${HEX}&_idx=1&_idx=2`, '"_idx" is given 2 times: give it once'],
    [`id=${HEX}&quality=${'9'.repeat(300)}`, '"quality" has 300 characters'],
  ])('rejects "%s" and names the parameter', (query, text) => {
    expect(() => parse(query)).toThrow(PlaybackRequestError);
    expect(() => parse(query)).toThrow(text);
  });
});
