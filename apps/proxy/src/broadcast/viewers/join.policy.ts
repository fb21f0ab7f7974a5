/** Decides where and when a viewer joins the stream. */
import type { BroadcastSettings } from '../broadcast-settings.js';
import { WAIT_FOR_BETTER_MS, entryPoints } from '../buffer/entry-points.policy.js';
import type { RandomAccessPoint } from '../buffer/stream-index.js';

type JoinSettings = Pick<BroadcastSettings, 'joinMode' | 'joinSeconds'>;

/**
 * The random-access point to join at, or null if there is none. `points` are ordered, oldest first; `liveMs` is the end of the stream on their
 * clock. Gradual points are used only if there is no clean one.
 */
export function chooseRandomAccessPoint(
  points: readonly RandomAccessPoint[],
  liveMs: number,
  settings: JoinSettings,
): RandomAccessPoint | null {
  const entries = entryPoints(points, liveMs);
  const clean = entries.filter((point) => point.kind === 'clean');
  const usable = clean.length > 0 ? clean : entries;
  if (usable.length === 0) return null;
  switch (settings.joinMode) {
    case 'oldest':
      return usable[0];
    case 'live':
      return usable[usable.length - 1];
    case 'keyframe':
      return usable.findLast((point) => liveMs - point.mediaMs >= settings.joinSeconds * 1000) ?? usable[0];
    default: {
      const unknown: never = settings.joinMode;
      throw new TypeError(`unknown join mode: ${String(unknown)}`);
    }
  }
}

/**
 * Whether a viewer that has waited `waitedMs` for a random-access point joins anywhere in the `bytes` of stream available. `isEntryExpected`:
 * a point is known that is no entry yet, for example an I picture, which becomes one if nothing better comes in time.
 */
export function joinsAnywhere(
  { waitedMs, bytes, isEntryExpected }: { waitedMs: number; bytes: number; isEntryExpected: boolean },
  settings: Pick<BroadcastSettings, 'coldJoinMs' | 'coldJoinBytes'>,
): boolean {
  if (isEntryExpected) return bytes > 0 && waitedMs >= settings.coldJoinMs + WAIT_FOR_BETTER_MS;
  return bytes > 0 && (waitedMs >= settings.coldJoinMs || bytes >= settings.coldJoinBytes);
}
