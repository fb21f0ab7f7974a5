/**
 * Divides the memory for stream buffers among the streams. Every stream gets what a join and a splice need. The rest is divided by viewers and bit rate,
 * so that the same number of viewers gets the same number of seconds.
 */

/** What a stream is known to need. */
export interface StreamFacts {
  /** Bits per second; null while unknown. */
  readonly bitrate: number | null;
  readonly viewers: number;
  /** Longest time between two keyframes, in ms; null while unknown. */
  readonly keyframeMs: number | null;
  /** Null without HLS viewers. */
  readonly hls: HlsNeed | null;
  /** Bytes that an ended stream still holds for its last viewers; null while it plays. */
  readonly leftBytes: number | null;
}

/** Milliseconds of media that HLS segments must hold, and bytes that they may have at most. */
export interface HlsNeed {
  readonly neededMs: number;
  readonly mostBytes: number;
}

/** Limits of every stream; see the settings. */
export interface StreamLimits {
  /** ACEXY_BUFFER_MAX. */
  readonly ringBytes: number;
  readonly maxSeconds: number;
  readonly joinSeconds: number;
  readonly chunkBytes: number;
}

/** Bytes that a stream must have, those that it can use at most, and its weight when the rest is divided. `floor` is at most `ceiling`. */
export interface Demand {
  readonly floor: number;
  readonly ceiling: number;
  readonly weight: number;
}

/** Of a stream whose bit rate is unknown, while no other stream's is known either. */
const ASSUMED_BITRATE = 8_000_000;
/** Of a stream that has not shown two keyframes. */
const ASSUMED_KEYFRAME_MS = 2000;
/** No usual interval of keyframes is longer; a stream with none at all must not take the memory of the others. */
const MAX_KEYFRAME_MS = 10_000;
/** Media that a source is compared with when it continues the stream byte by byte: an anchor and a second of packets. */
const SPLICE_MS = 1000;

/** A stream that is about to start. */
export const NEW_STREAM: StreamFacts = { bitrate: null, viewers: 1, keyframeMs: null, hls: null, leftBytes: null };

/** The demands of the streams, in their order. */
export function demandsOf(streams: readonly StreamFacts[], limits: StreamLimits): Demand[] {
  const known = streams.flatMap(({ bitrate }) => bitrate ?? []);
  const usual = known.length === 0 ? ASSUMED_BITRATE : known.reduce((sum, bitrate) => sum + bitrate, 0) / known.length;
  return streams.map((stream) => demandOf(stream, usual, limits));
}

function demandOf(stream: StreamFacts, usualBitrate: number, { ringBytes, maxSeconds, joinSeconds, chunkBytes }: StreamLimits): Demand {
  const bytesPerMs = (stream.bitrate ?? usualBitrate) / 8000;
  const weight = bytesPerMs * (stream.viewers + 1);
  // The chunk that is being built is not in the ring, and the ring drops whole chunks.
  const outside = 2 * chunkBytes;
  if (stream.leftBytes !== null) return { floor: outside, ceiling: stream.leftBytes + outside, weight };
  const keyframeMs = Math.min(MAX_KEYFRAME_MS, stream.keyframeMs ?? ASSUMED_KEYFRAME_MS);
  const neededMs = Math.max(keyframeMs + joinSeconds * 1000 + SPLICE_MS, stream.hls?.neededMs ?? 0);
  const wantedBytes = Math.min(ringBytes, maxSeconds * 1000 * bytesPerMs);
  const ceiling = Math.max(wantedBytes, stream.hls?.mostBytes ?? 0) + outside;
  return { floor: Math.min(ceiling, neededMs * bytesPerMs + outside), ceiling, weight };
}

/** Bytes that the streams must have. */
export function floorOf(demands: readonly Demand[]): number {
  return demands.reduce((sum, { floor }) => sum + floor, 0);
}

/** The bytes of each stream, in the order of `demands`; together at most `total`. `short`: not every stream gets its floor. */
export function divide(total: number, demands: readonly Demand[]): { shares: number[]; short: boolean } {
  const floors = floorOf(demands);
  if (floors > total) return { shares: demands.map(({ floor }) => (total * floor) / floors), short: true };
  const shares = demands.map(({ floor }) => floor);
  let spare = total - floors;
  let weights = demands.reduce((sum, { weight }) => sum + weight, 0);
  // Those that need the least for their weight first: what they leave goes to the others.
  const order = demands.map((demand, index) => ({ index, ...demand, wish: demand.ceiling - demand.floor }));
  order.sort((one, other) => one.wish * other.weight - other.wish * one.weight);
  for (const { index, wish, weight } of order) {
    const extra = weights > 0 ? Math.min(wish, spare, (spare * weight) / weights) : 0;
    shares[index] += extra;
    spare -= extra;
    weights -= weight;
  }
  return { shares, short: false };
}

/**
 * The limit of a ring with this share. A ring may exceed its limit by a factor of two to keep its newest keyframe; when memory is short, only half of
 * the share is left for that.
 */
export function ringLimit(share: number, short: boolean, { ringBytes, chunkBytes }: StreamLimits): number {
  const bytes = Math.max(chunkBytes, share - chunkBytes);
  return Math.floor(Math.min(ringBytes, short ? bytes / 2 : bytes));
}
