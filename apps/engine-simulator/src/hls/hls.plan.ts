/** Which segments a playlist shows. A segment is three groups of pictures, numbered from the Unix epoch on the broadcaster's timeline. */
import { GROUP_MS } from '../media/layout.js';

export const GROUPS_PER_SEGMENT = 3;
export const SEGMENT_MS = GROUPS_PER_SEGMENT * GROUP_MS;
const FIRST_SEGMENTS = 3;

export interface PlaylistWindow {
  /** Segments of the timeline, the last one included. */
  first: number;
  last: number;
  /** The number by which the playlist calls `first`. */
  sequence: number;
}

/** The first segment of a session whose prebuffer was full when the engine had the broadcast up to `edgeTime` (Unix ms). */
export function firstSegment(edgeTime: number): number {
  return Math.floor(edgeTime / SEGMENT_MS) - FIRST_SEGMENTS;
}

/** The window of `size` segments at `edgeTime`; numbers begin with 0 at `base`, or are the timeline's own. */
export function playlistWindow(base: number, edgeTime: number, size: number, absolute: boolean): PlaylistWindow {
  const last = Math.max(base, Math.floor(edgeTime / SEGMENT_MS) - 1);
  const first = Math.max(base, last - size + 1);
  return { first, last, sequence: absolute ? first : first - base };
}

/** Segments stay a little longer than the playlist names them. */
const KEPT_BEHIND = 3;

/** Is segment `number` (as the playlist calls it) still there, and which one of the timeline is it? */
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
