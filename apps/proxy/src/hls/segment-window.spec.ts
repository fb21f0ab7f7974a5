import { describe, expect, it } from 'vitest';
import { SegmentWindow, secondsOf } from './segment-window.js';
import { writeMasterPlaylist, writeMediaPlaylist } from './playlist.js';
import type { Segment } from './segmenter.js';

const segment = (index: number, seconds = 4, discontinuity = false): Segment => ({ index, seconds, discontinuity, bytes: 1000, parts: [] });

describe('SegmentWindow', () => {
  it('lists six target durations and keeps removed segments for as long again', () => {
    const window = new SegmentWindow();
    for (let index = 0; index < 100; index += 1) window.add(segment(index), 4);
    expect(window.listed.map(({ index }) => index)).toEqual([94, 95, 96, 97, 98, 99]);
    expect(window.find(94)?.index).toBe(94);
    expect(window.find(87)?.index).toBe(87);
    expect(window.find(86)).toBeUndefined();
    expect(window.bytes).toBe(13_000);
  });

  it('never lists less than three target durations once a segment was removed, however short the segments are', () => {
    const window = new SegmentWindow();
    for (let index = 0; index < 200; index += 1) {
      window.add(segment(index, 0.3 + (index % 5) * 0.7), 4);
      if (window.listed[0].index > 0) expect(secondsOf(window.listed)).toBeGreaterThanOrEqual(12);
    }
  });

  it('counts the discontinuities that have left the playlist', () => {
    const window = new SegmentWindow();
    for (let index = 0; index < 30; index += 1) window.add(segment(index, 4, index % 10 === 0), 4);
    expect(window.removedDiscontinuities).toBe(3);
    window.add(segment(30, 4, true), 4);
    expect(window.removedDiscontinuities).toBe(3);
  });
});

describe('the memory of a SegmentWindow', () => {
  it('is limited: unlisted segments are removed first, then those listed beyond three target durations', () => {
    const within = (maxBytes: number): number[] => {
      const window = new SegmentWindow(maxBytes);
      for (let index = 0; index < 30; index += 1) window.add(segment(index, 4, index % 10 === 0), 4);
      expect(window.bytes).toBeLessThanOrEqual(Math.max(maxBytes, Math.min(2 * maxBytes, 3000)));
      expect(window.removedDiscontinuities).toBe(3);
      return [window.bytes / 1000, window.listed.length];
    };
    expect(within(20_000)).toEqual([13, 6]);
    expect(within(8000)).toEqual([8, 6]);
    expect(within(5000)).toEqual([5, 5]);
    // A player needs three target durations: for them the limit may be exceeded, at most twice.
    expect(within(2000)).toEqual([3, 3]);
    expect(within(1000)).toEqual([2, 2]);
  });
});

describe('playlists', () => {
  it('have their tags in the order that every player accepts', () => {
    const text = writeMediaPlaylist({
      target: 4,
      sequence: 17,
      discontinuitySequence: 3,
      segments: [segment(0, 3.84), segment(1, 4.0004, true)],
      urlOf: ({ index }) => `hls/x/${index + 17}.ts`,
    });
    expect(text).toBe(
      '#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:17\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n' +
        '#EXTINF:3.840,\nhls/x/17.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:4.000,\nhls/x/18.ts\n',
    );
  });

  it('point to the media playlist of the viewer', () => {
    expect(writeMasterPlaylist(3_500_000.4, 'manifest.m3u8?id=a&hls=b')).toBe(
      '#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=3500001\nmanifest.m3u8?id=a&hls=b\n',
    );
  });
});
