/** Settings of a broadcast: what it keeps, how it sends it, and how it treats slow viewers. Sizes in bytes, `…Ms` in milliseconds. */
export interface BroadcastSettings {
  /** Bytes of stream kept. Exceeded, at most twice, only to keep the newest random-access point. */
  maxBytes: number;
  /** Seconds of stream kept. Exceeded only to keep the newest random-access point. */
  maxSeconds: number;
  /** The live edge is sent in chunks of at most this many bytes … */
  chunkBytes: number;
  /** … or this much time, whichever comes first. Each chunk is one write per viewer. */
  chunkMs: number;
  /** Seconds of stream that a joining viewer gets at once, if available: 1 s for players, 5 s for restreamers based on ffmpeg. */
  joinSeconds: number;
  /** Where a viewer joins: at a random-access point `joinSeconds` back, at the newest one, or at the oldest one. */
  joinMode: 'keyframe' | 'live' | 'oldest';
  /** If the stream has no random-access point yet, viewers wait for one at most this long … */
  coldJoinMs: number;
  /** … or for this many bytes, then join anywhere. */
  coldJoinBytes: number;
  /** A viewer whose position was evicted from the ring skips to a newer random-access point, or is removed. */
  slowClient: 'skip' | 'drop';
  /** Skips after which a slow viewer is removed. */
  maxSkips: number;
  /** A viewer that takes nothing of a write for this long is removed: it is gone or paused. */
  maxWriteMs: number;
}

export const DEFAULT_BROADCAST_SETTINGS: BroadcastSettings = {
  maxBytes: 32 * 1024 * 1024,
  maxSeconds: 60,
  chunkBytes: 256 * 1024,
  chunkMs: 250,
  joinSeconds: 1,
  joinMode: 'keyframe',
  coldJoinMs: 500,
  coldJoinBytes: 1_000_000,
  slowClient: 'skip',
  maxSkips: 20,
  maxWriteMs: 600_000,
};
