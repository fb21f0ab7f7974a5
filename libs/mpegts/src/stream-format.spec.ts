import { describe, expect, it } from 'vitest';
import { formatOf, isAudio, languageOf } from './stream-format.js';

const stream = (streamType: number, ...descriptors: number[]) => ({ pid: 0x101, streamType, descriptors: Uint8Array.from(descriptors) });
const text = (value: string): number[] => [...value].map((character) => character.charCodeAt(0));

describe('an elementary stream', () => {
  it.each([
    ['AAC', stream(0x0f), true],
    ['H.264', stream(0x1b), false],
    ['AC-3 as DVB announces it', stream(0x06, 0x0a, 4, ...text('deu'), 0, 0x6a, 1, 0), true],
    ['E-AC-3 as DVB announces it', stream(0x06, 0x7a, 1, 0), true],
    ['Opus', stream(0x06, 0x05, 4, ...text('Opus')), true],
    ['teletext', stream(0x06, 0x56, 5, ...text('eng'), 8, 0), false],
    ['subtitles', stream(0x06, 0x59, 8, ...text('eng'), 16, 0, 1, 0, 1), false],
    ['private data without a descriptor', stream(0x06), false],
    ['a descriptor that is cut off', stream(0x06, 0x6a), false],
  ])('of %s is audio or not', (_what, one, audio) => expect(isAudio(one)).toBe(audio));

  it('replaces only one of the same format', () => {
    expect(formatOf(stream(0x06, 0x6a, 0))).not.toBe(formatOf(stream(0x06, 0x56, 0)));
    expect(formatOf(stream(0x06, 0x6a, 0))).toBe(formatOf(stream(0x06, 0x0a, 1, 0, 0x6a, 0)));
    expect(formatOf(stream(0x0f))).not.toBe(formatOf(stream(0x11)));
  });

  it('has a language or none', () => {
    expect([languageOf(stream(0x0f, 0x0a, 4, ...text('spa'), 0)), languageOf(stream(0x0f))]).toEqual(['spa', '']);
  });
});
