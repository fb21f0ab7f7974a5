/** Decides which random-access points count as entries: an I picture alone is one only where the stream has nothing better. */
import type { RandomAccessPoint } from './stream-index.js';

/** An I picture is an entry when nothing better came in the first second of the stream … */
export const WAIT_FOR_BETTER_MS = 1000;
/** … and, in a stream that has had something better, within this time after that: no usual interval of keyframes is longer. */
const LONGEST_INTERVAL_MS = 10_000;

/** The longest time (ms) between two entries, the time since the newest one included; null without entries. */
export function longestInterval(points: readonly RandomAccessPoint[], liveMs: number): number | null {
  const times = entryPoints(points, liveMs).map(({ mediaMs }) => mediaMs);
  if (times.length === 0) return null;
  return times.reduce((longest, time, index) => Math.max(longest, (times.at(index + 1) ?? liveMs) - time), 0);
}

/**
 * The points at which a decoder should start. `points` are ordered, oldest first; `liveMs` is the end of the stream on their clock, which starts
 * at 0.
 */
export function entryPoints(points: readonly RandomAccessPoint[], liveMs: number): readonly RandomAccessPoint[] {
  const newest = points.findLastIndex(({ kind }) => kind !== 'intra');
  const betterAt = newest >= 0 ? points[newest].mediaMs : WAIT_FOR_BETTER_MS - LONGEST_INTERVAL_MS;
  const intra = points.slice(newest + 1);
  return intra.length > 0 && liveMs - betterAt >= LONGEST_INTERVAL_MS ? intra : points.filter(({ kind }) => kind !== 'intra');
}
