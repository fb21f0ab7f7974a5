/** Where a viewer is let into the stream. */
import type { BroadcastSettings } from '../broadcast-settings.js';
import type { AccessPoint } from '../buffer/stream-index.js';

type JoinSettings = Pick<BroadcastSettings, 'joinMode' | 'joinSeconds'>;

/**
 * The entry point to join at, or null where there is none. `points` oldest first, all with bytes behind them; `liveMs` is the end of the
 * stream on their clock. Points where the picture has to heal first are taken only where there is nothing better.
 */
export function chooseAccessPoint(points: readonly AccessPoint[], liveMs: number, settings: JoinSettings): AccessPoint | null {
  const clean = points.filter((point) => point.kind === 'clean');
  const usable = clean.length > 0 ? clean : points;
  if (usable.length === 0) return null;
  switch (settings.joinMode) {
    case 'oldest':
      return usable[0];
    case 'live':
      return usable[usable.length - 1];
    case 'keyframe':
      // Where not even the oldest has enough stream behind it, it has the most there is.
      return usable.findLast((point) => liveMs - point.mediaMs >= settings.joinSeconds * 1000) ?? usable[0];
    default: {
      const unknown: never = settings.joinMode;
      throw new TypeError(`no such mode: ${String(unknown)}`);
    }
  }
}

export interface ColdJoin {
  /** Milliseconds that the viewer has waited with bytes in the ring. */
  readonly waitedMs: number;
  /** Bytes of stream there are. */
  readonly bytes: number;
}

/** Whether a viewer takes what there is rather than wait on for an entry point. */
export function takesWhatThereIs(cold: ColdJoin, settings: Pick<BroadcastSettings, 'coldJoinMs' | 'coldJoinBytes'>): boolean {
  return cold.bytes > 0 && (cold.waitedMs >= settings.coldJoinMs || cold.bytes >= settings.coldJoinBytes);
}
