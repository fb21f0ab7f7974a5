/** Decides which segments a playlist has. A segment is three groups of pictures; the broadcaster's timeline numbers them from the Unix epoch. */
import { GROUP_MS } from '../media/layout.js';

export const GROUPS_PER_SEGMENT = 3;
export const SEGMENT_MS = GROUPS_PER_SEGMENT * GROUP_MS;
const FIRST_SEGMENTS = 3;

export interface PlaylistWindow {
  /** Numbers on the timeline; `last` is included. */
  first: number;
  last: number;
  /** Number of `first` in the playlist. */
  sequence: number;
}

/** The first segment of a session whose prebuffer was full when the newest media was of `edgeTime` (Unix ms). */
export function firstSegment(edgeTime: number): number {
  return Math.floor(edgeTime / SEGMENT_MS) - FIRST_SEGMENTS;
}

/** The window of `size` segments at `edgeTime`. Numbers begin with 0 at `base`, or are those of the timeline (`absolute`). */
export function playlistWindow(base: number, edgeTime: number, size: number, absolute: boolean): PlaylistWindow {
  const last = Math.max(base, Math.floor(edgeTime / SEGMENT_MS) - 1);
  const first = Math.max(base, last - size + 1);
  return { first, last, sequence: absolute ? first : first - base };
}

/** Segments that are still served after they left the playlist. */
const KEPT_BEHIND = 3;

/** The number on the timeline of playlist segment `number`; null if it is not available. */
export function findSegment(base: number, window: PlaylistWindow, number: number, absolute: boolean): number | null {
  const segment = absolute ? number : base + number;
  return segment >= Math.max(base, window.first - KEPT_BEHIND) && segment <= window.last ? segment : null;
}

export function renderPlaylist(window: PlaylistWindow, segmentUrl: (number: number) => string): string {
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:3',
    `#EXT-X-TARGETDURATION:${Math.ceil(SEGMENT_MS / 1000)}`,
    `#EXT-X-MEDIA-SEQUENCE:${window.sequence}`,
  ];
  for (let segment = window.first; segment <= window.last; segment += 1) {
    lines.push(`#EXTINF:${(SEGMENT_MS / 1000).toFixed(3)},`, segmentUrl(window.sequence + segment - window.first));
  }
  return `${lines.join('\n')}\n`;
}
