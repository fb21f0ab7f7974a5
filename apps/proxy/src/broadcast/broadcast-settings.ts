/** How a broadcast keeps, hands out and sheds bytes. Durations in milliseconds unless the name says otherwise; sizes in bytes. */
export interface BroadcastSettings {
  /** Bytes of stream kept. Exceeded, up to twice, only where the newest entry point would be lost otherwise. */
  maxBytes: number;
  /** Seconds of stream kept. Exceeded only where the newest entry point would be lost otherwise. */
  maxSeconds: number;
  /** The live edge is handed out in steps of at most this many bytes … */
  stepBytes: number;
  /** … or this much time, whichever comes first. Each step is one write per viewer. */
  stepMs: number;
  /** Stream that a joining viewer is given at once, where it is there: 1 s suits players, 5 s restreamers on ffmpeg. */
  joinSeconds: number;
  /** Where a viewer joins: `joinSeconds` back at an entry point, at the newest entry point, or at the oldest. */
  joinMode: 'keyframe' | 'live' | 'oldest';
  /** A stream without an entry point yet: viewers wait this long … */
  coldJoinMs: number;
  /** … or for this many bytes, then take what there is. */
  coldJoinBytes: number;
  /** A viewer that has fallen out of the ring: jumps to a newer entry point, or is let go. */
  slowClient: 'skip' | 'drop';
  /** Jumps after which a slow viewer is let go. */
  maxSkips: number;
  /** A viewer that has taken nothing of its current write for this long is let go, be it gone or paused. */
  maxWriteMs: number;
}

export const DEFAULT_BROADCAST_SETTINGS: BroadcastSettings = {
  maxBytes: 32 * 1024 * 1024,
  maxSeconds: 60,
  stepBytes: 256 * 1024,
  stepMs: 250,
  joinSeconds: 1,
  joinMode: 'keyframe',
  coldJoinMs: 500,
  coldJoinBytes: 1_000_000,
  slowClient: 'skip',
  maxSkips: 20,
  maxWriteMs: 600_000,
};
