/** Writes HLS playlists (RFC 8216). */
import type { Segment } from './segmenter.js';

export interface MediaPlaylist {
  /** Target duration, in whole seconds. */
  readonly target: number;
  /** Sequence number of the first segment. */
  readonly sequence: number;
  readonly discontinuitySequence: number;
  readonly segments: readonly Segment[];
  urlOf(segment: Segment): string;
}

/** A live playlist, without EXT-X-ENDLIST. */
export function writeMediaPlaylist({ target, sequence, discontinuitySequence, segments, urlOf }: MediaPlaylist): string {
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:3',
    `#EXT-X-TARGETDURATION:${target}`,
    `#EXT-X-MEDIA-SEQUENCE:${sequence}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${discontinuitySequence}`,
  ];
  for (const segment of segments) {
    if (segment.discontinuity) lines.push('#EXT-X-DISCONTINUITY');
    lines.push(`#EXTINF:${segment.seconds.toFixed(3)},`, urlOf(segment));
  }
  return `${lines.join('\n')}\n`;
}

/** A master playlist with the only variant. `bandwidth`: bits per second of its largest segment. */
export function writeMasterPlaylist(bandwidth: number, url: string): string {
  return `#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=${Math.max(1, Math.ceil(bandwidth))}\n${url}\n`;
}

/** Bits per second of the segment with the highest bit rate. */
export function peakBandwidth(segments: readonly Segment[]): number {
  return Math.max(0, ...segments.map(({ bytes, seconds }) => (bytes * 8) / seconds));
}
