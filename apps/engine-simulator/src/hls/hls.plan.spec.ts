import { describe, expect, it } from 'vitest';
import { SEGMENT_MS, findSegment, firstSegment, playlistWindow, renderPlaylist } from './hls.plan.js';

const readyAt = 1_700_000_000_000;
const base = firstSegment(readyAt);

describe('playlist', () => {
  it('begins with three segments from number 0', () => {
    expect(playlistWindow(base, readyAt, 15, false)).toEqual({ first: base, last: base + 2, sequence: 0 });
  });

  it('grows to its size, then slides', () => {
    const later = playlistWindow(base, readyAt + 100 * SEGMENT_MS, 15, false);
    expect(later.last - later.first + 1).toBe(15);
    expect(later.sequence).toBe(88);
    expect(playlistWindow(base, readyAt + 100 * SEGMENT_MS, 15, true).sequence).toBe(later.first);
  });

  it('lists complete segments and has no end', () => {
    const text = renderPlaylist(playlistWindow(base, readyAt, 15, false), (number) => `http://h/ace/c/x/${number}.ts`);
    expect(text.split('\n').filter((line) => line.startsWith('http'))).toEqual([0, 1, 2].map((number) => `http://h/ace/c/x/${number}.ts`));
    expect(text).toContain('#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:0');
    expect(text).toContain('#EXTINF:5.760,');
    expect(text).not.toContain('ENDLIST');
  });

  it('keeps segments available for some time after they left it', () => {
    const window = playlistWindow(base, readyAt + 100 * SEGMENT_MS, 15, false);
    expect(findSegment(base, window, window.sequence, false)).toBe(window.first);
    expect(findSegment(base, window, window.sequence - 3, false)).toBe(window.first - 3);
    expect(findSegment(base, window, window.sequence - 4, false)).toBeNull();
    expect(findSegment(base, window, window.sequence + 15, false)).toBeNull();
  });
});
