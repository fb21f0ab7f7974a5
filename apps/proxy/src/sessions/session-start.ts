/** From a content to packets: an engine is chosen and asked, the next one where it fails, until the stream begins or the plan gives up. */
import type { Readable } from 'node:stream';
import { type EngineAddress, EngineRefusedError, EngineStillPreparingError, EngineTimeoutError } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import { Broadcast, type BroadcastSettings } from '../broadcast/broadcast.js';
import type { Clock } from '../clock.js';
import { type EngineSelector, NoEngineError, type WantedContent } from '../selection/engine-selector.js';
import type { Content } from './content-key.js';
import type { EngineSession } from './engine-session.js';
import type { EngineStarts } from './engine-starts.js';
import type { InfohashLookup } from './infohash-lookup.js';
import { EnginesRefusedError, EnginesSilentError } from './errors.js';
import { MediaFeed } from './media-feed.js';
import type { Source } from './next-source.js';
import { type FailedTry, type StartPhase, kindOf, nextStep, verdictOf } from './start.plan.js';

export interface StartLimits {
  /** All in milliseconds; see the settings of the same names. */
  noResponseTimeoutMs: number;
  firstByteTimeoutMs: number;
  startTimeoutMs: number;
  stallTimeoutMs?: number;
}

/** The stream whose start this is. */
export interface StartingStream<S> {
  readonly id: string;
  readonly content: Content;
  /** By the names known of it at any moment. */
  readonly wanted: WantedContent;
  /** Whether the engine carries another of our streams. */
  sharesEngine(address: EngineAddress): boolean;
  /** Takes over a seat; what comes of it is the stream's to end. */
  openEngine(seat: EngineSession['seat']): EngineSession;
  /** The engine named the content. The stream that already plays it, if there is another. */
  identify(infohash: string): S | null;
  /** No engine is free; true when one was given back. */
  onScarce(): boolean;
}

export interface StartContext {
  selector: EngineSelector;
  starts: EngineStarts;
  lookUpInfohash: InfohashLookup;
  clock: Clock;
  limits: StartLimits;
  broadcast: BroadcastSettings;
}

/** How long a start took, in ms. */
export interface StartTimes {
  /** From the first viewer's request to the first packet. */
  startMs: number;
  /** Of that, from the engine's answer on. */
  firstByteMs: number;
}

export type StartResult<S> = { kind: 'playing'; source: Source; broadcast: Broadcast; firstByteMs: number } | { kind: 'merged'; into: S };

/**
 * @throws NoEngineError | EnginesRefusedError | EnginesSilentError when no engine delivers within the limits; the signal's reason
 */
export async function startStream<S>(
  stream: StartingStream<S>,
  context: StartContext,
  log: Log,
  signal: AbortSignal,
): Promise<StartResult<S>> {
  const { clock, limits } = context;
  const deadline = clock.now() + limits.startTimeoutMs;
  const tries: FailedTry[] = [];
  for (;;) {
    const next = nextStep(tries, deadline - clock.now());
    if (next.step === 'give-up') throw failure(tries);
    const engine = await chooseEngine(stream, context, tries, clock.now() + next.waitMs, signal);
    signal.throwIfAborted();
    const attempt = { phase: 'asking' as StartPhase };
    try {
      return await tryEngine(stream, context, engine, attempt, deadline, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const failed = { engineId: engine.seat.engineId, kind: kindOf(codeOf(error), attempt.phase), words: wordsOf(error) };
      log.warn('engine did not start the stream', { engine: failed.engineId, kind: failed.kind, problem: failed.words });
      tries.push(failed);
      // Its stop may take as long as its start was given to read on; the stream waits for it at its own end.
      void engine.close();
    }
  }
}

async function chooseEngine<S>(
  stream: StartingStream<S>,
  { selector }: StartContext,
  tries: readonly FailedTry[],
  deadline: number,
  signal: AbortSignal,
): Promise<EngineSession> {
  try {
    const seat = await selector.select({
      streamId: stream.id,
      content: stream.wanted,
      exclude: tries.map(({ engineId }) => engineId),
      purpose: 'start',
      deadline,
      signal,
      onScarce: () => stream.onScarce(),
    });
    return stream.openEngine(seat);
  } catch (error) {
    // What the engines said tells the viewer more than that there is no further one.
    if (error instanceof NoEngineError && tries.length > 0 && verdictOf(tries) !== 'no-engine') throw failure(tries);
    throw error;
  }
}

async function tryEngine<S>(
  stream: StartingStream<S>,
  context: StartContext,
  engine: EngineSession,
  attempt: { phase: StartPhase },
  deadline: number,
  signal: AbortSignal,
): Promise<StartResult<S>> {
  const { clock, limits, starts } = context;
  const left = (limitMs: number): number => Math.max(1, Math.min(limitMs, deadline - clock.now()));
  const other = await starts.exclusive(engine.seat.address, left(limits.noResponseTimeoutMs), signal, async () => {
    const twin = await findTwin(stream, context, engine.seat.address, signal);
    if (twin !== null) return twin;
    const playback = await engine.start(stream.content, left(limits.noResponseTimeoutMs), signal);
    return playback.infohash === null ? null : stream.identify(playback.infohash);
  });
  if (other !== null) return { kind: 'merged', into: other };
  attempt.phase = 'opening';
  const answeredAt = clock.now();
  const firstPacketBy = answeredAt + left(limits.firstByteTimeoutMs);
  const media: Readable = await engine.openMedia(firstPacketBy, signal);
  const broadcast = new Broadcast(context.broadcast, clock);
  const feed = new MediaFeed(media, broadcast, clock, limits.stallTimeoutMs);
  try {
    await feed.begin(Math.max(1, firstPacketBy - clock.now()), signal);
    return { kind: 'playing', source: { engine, feed }, broadcast, firstByteMs: clock.now() - answeredAt };
  } catch (error) {
    feed.stop();
    throw error;
  }
}

/** The stream of the same content, where the start could hit it: on an engine that both would share, under a name not known to be its. */
async function findTwin<S>(
  stream: StartingStream<S>,
  context: StartContext,
  address: EngineAddress,
  signal: AbortSignal,
): Promise<S | null> {
  if (stream.wanted.infohash !== null || !stream.sharesEngine(address)) return null;
  const infohash = await context.lookUpInfohash(address, stream.wanted.key, signal);
  return infohash === null ? null : stream.identify(infohash);
}

function failure(tries: readonly FailedTry[]): Error {
  const verdict = verdictOf(tries);
  switch (verdict) {
    case 'no-engine':
      return new NoEngineError(tries.length === 0 ? 'none came free in time' : tries.map(({ words }) => words).join('; '), 5);
    case 'silent':
      return new EnginesSilentError(tries);
    case 'refused':
      return new EnginesRefusedError(tries);
    default: {
      const unknown: never = verdict;
      throw new TypeError(`no such verdict: ${String(unknown)}`);
    }
  }
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

function wordsOf(error: unknown): string {
  if (error instanceof EngineRefusedError || error instanceof EngineStillPreparingError) return error.reason;
  if (error instanceof EngineTimeoutError) return `no ${error.phase} within ${Math.round(error.limitMs)} ms`;
  return error instanceof Error ? error.message : String(error);
}
