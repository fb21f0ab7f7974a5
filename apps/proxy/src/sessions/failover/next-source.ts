/** One attempt to continue a playing stream from another engine: lease and start it, and search its media for the place to continue from. */
import type { LeasePurpose } from '@acexy/contracts';
import type { Broadcast, CodecRefusal, SourceSwitch, SpliceKind } from '../../broadcast/broadcast.js';
import type { LeasedEngine } from '../../selection/engine-selector.js';
import type { EngineSession } from '../engine-session.js';
import type { ReportException } from '../exceptions.js';
import { MediaFeed, type SessionSource } from '../media-feed.js';
import type { EngineRequester, SessionContext } from '../session-context.js';

export interface SourceAttempt {
  exclude: readonly string[];
  purpose: LeasePurpose;
  /** The attempt uses it or releases it. */
  standby: LeasedEngine | null;
  /** Longest wait for a free engine, in ms. */
  waitMs: number;
  /** Longest time from the lease to the splice, in ms. */
  limitMs: number;
  /** Ends the attempt after the engine is chosen; it then counts as failed. */
  cancelled: AbortSignal;
  openEngine(leased: LeasedEngine): EngineSession;
  /** The stream now consists of the new engine's bytes: the old source may no longer write. */
  onSplice(next: SessionSource): void;
}

export type SourceAttemptResult =
  | { kind: 'spliced'; splice: SpliceKind; searchMs: number }
  | { kind: 'no-engine'; error: unknown }
  | { kind: 'failed'; engineId: string; error: unknown }
  /** The content has another codec now, so the stream cannot continue with it. */
  | { kind: 'refused'; engineId: string; refusal: CodecRefusal };

/** @throws the signal's reason */
export async function openNextSource(
  stream: EngineRequester,
  broadcast: Broadcast,
  attempt: SourceAttempt,
  context: SessionContext,
  report: ReportException,
  signal: AbortSignal,
): Promise<SourceAttemptResult> {
  const { exclude, purpose, standby } = attempt;
  let engine: EngineSession;
  try {
    const leased = await context.selector.select({
      streamId: stream.id,
      content: stream.names,
      exclude,
      purpose,
      standby,
      deadline: context.clock.now() + attempt.waitMs,
      signal,
      onNoneFree: () => stream.onNoneFree(),
    });
    if (standby !== leased) void standby?.release();
    engine = attempt.openEngine(leased);
  } catch (error) {
    void standby?.release();
    signal.throwIfAborted();
    return { kind: 'no-engine', error };
  }
  const { engineId } = engine;
  try {
    const change = await splice(stream, broadcast, attempt, engine, context, report, AbortSignal.any([signal, attempt.cancelled]));
    if (change.refusal === null) return { kind: 'spliced', splice: change.kind ?? 'keyframe', searchMs: change.searchMs };
    void engine.close();
    return { kind: 'refused', engineId, refusal: change.refusal };
  } catch (error) {
    // Closing may take as long as a late reply to the start; the session waits for it at its own end.
    void engine.close();
    signal.throwIfAborted();
    return { kind: 'failed', engineId, error };
  }
}

async function splice(
  stream: EngineRequester,
  broadcast: Broadcast,
  { limitMs, onSplice }: SourceAttempt,
  engine: EngineSession,
  { clock, settings, startLimit }: SessionContext,
  report: ReportException,
  signal: AbortSignal,
): Promise<SourceSwitch> {
  const deadline = clock.now() + limitMs;
  const left = (ms: number): number => Math.max(1, Math.min(ms, deadline - clock.now()));
  await startLimit.run(engine.leased.address, left(settings.noResponseTimeoutMs), signal, () =>
    engine.start(stream.content, left(settings.noResponseTimeoutMs), signal),
  );
  const media = await engine.openMedia(clock.now() + left(settings.firstByteTimeoutMs), signal);
  const change = broadcast.beginSwitch();
  let swapped = false;
  const target = {
    write: (bytes: Buffer): void => {
      change.write(bytes);
      if (swapped || change.state !== 'spliced') return;
      swapped = true;
      onSplice({ engine, feed });
    },
    get ready() {
      return change.state !== 'searching';
    },
    get bitrate() {
      return broadcast.bitrate;
    },
    get unrecognizedBytes() {
      return change.unrecognizedBytes;
    },
    get mediaMs() {
      return broadcast.mediaMs;
    },
    get bufferedMs() {
      return broadcast.bufferedMs;
    },
  };
  const feed = new MediaFeed(media, target, clock, settings.stallTimeoutMs, report);
  try {
    await feed.begin(left(settings.firstByteTimeoutMs), signal);
  } catch (error) {
    // The splice happened at the moment of the limit: the source already feeds the stream.
    if (change.state === 'spliced') return change;
    feed.stop();
    change.abort();
    throw error;
  }
  if (change.state === 'refused') feed.stop();
  return change;
}
