/** One try to carry a playing stream on from another engine: it is leased, started, and its media searched for the place to go on from. */
import type { LeasePurpose } from '@acexy/contracts';
import type { Broadcast, CodecRefusal, SourceSwitch, SpliceKind } from '../../broadcast/broadcast.js';
import type { LeasedEngine, WantedContent } from '../../selection/engine-selector.js';
import type { RequestedContent } from '../content-key.js';
import type { EngineSession } from '../engine-session.js';
import { MediaFeed } from '../media-feed.js';
import type { StartContext } from '../start/session-start.js';

/** An engine, and what it feeds the stream with. */
export interface Source {
  engine: EngineSession;
  feed: MediaFeed;
}

export interface NextSourceRequest {
  streamId: string;
  content: RequestedContent;
  wanted: WantedContent;
  broadcast: Broadcast;
  exclude: readonly string[];
  purpose: LeasePurpose;
  /** Held in reserve for this stream; from here on this try's to use or give back. */
  reserved: LeasedEngine | null;
  /** How long an engine may be waited for, in ms. */
  waitMs: number;
  /** How long the engine chosen may take until the stream goes on with it, in ms. */
  limitMs: number;
  openEngine(seat: LeasedEngine): EngineSession;
  onScarce(): boolean;
  /** In the moment from which the stream is made of the new engine's bytes: the old one's must not come any more. */
  onSplice(next: Source): void;
}

export type NextSourceResult =
  | { kind: 'spliced'; splice: SpliceKind; searchMs: number }
  /** No engine could be had. */
  | { kind: 'no-engine'; error: unknown }
  /** The engine was tried and is being closed. */
  | { kind: 'failed'; engineId: string; error: unknown }
  /** The stream cannot go on with what this content is now. */
  | { kind: 'refused'; engineId: string; refusal: CodecRefusal };

/** @throws the signal's reason */
export async function openNextSource(request: NextSourceRequest, context: StartContext, signal: AbortSignal): Promise<NextSourceResult> {
  const { clock, selector } = context;
  let engine: EngineSession;
  try {
    const seat = await selector.select({
      streamId: request.streamId,
      content: request.wanted,
      exclude: request.exclude,
      purpose: request.purpose,
      reserved: request.reserved,
      deadline: clock.now() + request.waitMs,
      signal,
      onScarce: () => request.onScarce(),
    });
    if (request.reserved !== null && request.reserved !== seat) void request.reserved.release();
    engine = request.openEngine(seat);
  } catch (error) {
    void request.reserved?.release();
    signal.throwIfAborted();
    return { kind: 'no-engine', error };
  }
  const { engineId } = engine.seat;
  try {
    const change = await splice(request, context, engine, signal);
    if (change.refusal === null) return { kind: 'spliced', splice: change.kind ?? 'keyframe', searchMs: change.searchMs };
    void engine.close();
    return { kind: 'refused', engineId, refusal: change.refusal };
  } catch (error) {
    // Its stop may take as long as its start was given to read on; the stream waits for it at its own end.
    void engine.close();
    signal.throwIfAborted();
    return { kind: 'failed', engineId, error };
  }
}

async function splice(
  request: NextSourceRequest,
  { clock, limits, starts }: StartContext,
  engine: EngineSession,
  signal: AbortSignal,
): Promise<SourceSwitch> {
  const deadline = clock.now() + request.limitMs;
  const left = (limitMs: number): number => Math.max(1, Math.min(limitMs, deadline - clock.now()));
  await starts.exclusive(engine.seat.address, left(limits.noResponseTimeoutMs), signal, () =>
    engine.start(request.content, left(limits.noResponseTimeoutMs), signal),
  );
  const media = await engine.openMedia(clock.now() + left(limits.firstByteTimeoutMs), signal);
  const change = request.broadcast.beginSwitch();
  let swapped = false;
  const target = {
    write: (bytes: Buffer): void => {
      change.write(bytes);
      if (swapped || change.state !== 'spliced') return;
      swapped = true;
      request.onSplice({ engine, feed });
    },
    get ready() {
      return change.state !== 'searching';
    },
    get bitrate() {
      return request.broadcast.bitrate;
    },
  };
  const feed = new MediaFeed(media, target, clock, limits.stallTimeoutMs);
  try {
    await feed.begin(left(limits.firstByteTimeoutMs), signal);
  } catch (error) {
    // Spliced in the very moment in which the limit came: it is the stream's.
    if (change.state === 'spliced') return change;
    feed.stop();
    change.abort();
    throw error;
  }
  if (change.state === 'refused') feed.stop();
  return change;
}
