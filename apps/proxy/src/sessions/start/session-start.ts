/** From a content to packets: an engine is chosen and asked, the next one where it fails, until the stream begins or the plan gives up. */
import type { Readable } from 'node:stream';
import { type EngineAddress, EngineRefusedError, EngineStillPreparingError, EngineTimeoutError } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import { Broadcast, type BroadcastSettings } from '../../broadcast/broadcast.js';
import type { Clock } from '@acexy/service-kit/primitives';
import { type EngineSelector, NoEngineError, type WantedContent } from '../../selection/engine-selector.js';
import type { RequestedContent } from '../content-key.js';
import type { EngineSession } from '../engine-session.js';
import type { EngineStartLock } from './engine-start-lock.js';
import type { InfohashLookup } from './infohash-lookup.js';
import { EnginesRefusedError, EnginesSilentError } from '../errors.js';
import { HEDGE_LIMIT_MS, type HedgeOutcome, hedgeDelayMs } from './hedge.policy.js';
import { hedged } from './hedge.js';
import { MediaFeed } from '../media-feed.js';
import type { Source } from '../failover/next-source.js';
import { type FailedAttempt, type StartPhase, kindOf, nextStep, verdictOf } from './start.plan.js';

/** How long the orchestrator may take to say that an engine held in reserve is still ours (ms). */
const CONFIRM_MS = 3000;

export interface StartLimits {
  /** All in milliseconds; see the settings of the same names. */
  noResponseTimeoutMs: number;
  firstByteTimeoutMs: number;
  startTimeoutMs: number;
  stallTimeoutMs?: number;
  hedgeAfterMs: number;
}

/** The stream whose start this is. */
export interface StartingStream<S> {
  readonly id: string;
  readonly content: RequestedContent;
  /** By the names known of it at any moment. */
  readonly wanted: WantedContent;
  /** Whether the engine carries another of our streams. */
  sharesEngine(address: EngineAddress): boolean;
  /** Takes over a seat; what comes of it is the stream's to end. `inUse`: it is the one to be named as the stream's. */
  openEngine(seat: EngineSession['seat'], inUse: boolean): EngineSession;
  /** The engine named the content. The stream that already plays it, if there is another. */
  identify(infohash: string): S | null;
  /** No engine is free; true when one was given back. */
  onScarce(): boolean;
  /** A second engine was to be tried beside one that was slow. */
  onHedge(outcome: HedgeOutcome): void;
}

export interface StartContext {
  selector: EngineSelector;
  starts: EngineStartLock;
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
  const start: Start<S> = { stream, context, log, attempts: [], deadline: context.clock.now() + context.limits.startTimeoutMs };
  const { attempts } = start;
  for (;;) {
    const next = nextStep(attempts, start.deadline - context.clock.now());
    if (next.step === 'give-up') throw failure(attempts);
    const engine = await chooseEngine(start, next.waitMs, signal);
    signal.throwIfAborted();
    const begun = await beginWith(start, engine, signal);
    if (begun !== null) return begun.result;
  }
}

/** A start under way. */
interface Start<S> {
  readonly stream: StartingStream<S>;
  readonly context: StartContext;
  readonly log: Log;
  /** Those that failed. */
  readonly attempts: FailedAttempt[];
  readonly deadline: number;
}

/** What an engine came to. */
interface Begun<S> {
  readonly engine: EngineSession;
  readonly result: StartResult<S>;
}

/** With `engine`, or with another one beside it where it is slow; null where that failed. @throws the signal's reason */
async function beginWith<S>(start: Start<S>, engine: EngineSession, signal: AbortSignal): Promise<Begun<S> | null> {
  const { stream, context, deadline } = start;
  const { clock, limits } = context;
  let second: EngineSession | null = null;
  return hedged<Begun<S>>(
    {
      first: (own) => attempt(start, engine, deadline, own),
      second: async (own) => {
        second = await chooseSecond(start, engine, own);
        return second && attempt(start, second, Math.min(deadline, clock.now() + HEDGE_LIMIT_MS), own);
      },
      afterMs: hedgeDelayMs(limits.hedgeAfterMs, deadline - clock.now()),
      onHedged: (won) => stream.onHedge(second === null ? 'none' : won ? 'won' : 'lost'),
      discard: ({ engine: loser, result }) => {
        if (result.kind === 'playing') result.source.feed.stop();
        void loser.close();
      },
    },
    clock,
    signal,
  );
}

async function chooseEngine<S>({ stream, context, attempts }: Start<S>, waitMs: number, signal: AbortSignal): Promise<EngineSession> {
  try {
    const seat = await context.selector.select({
      streamId: stream.id,
      content: stream.wanted,
      exclude: attempts.map(({ engineId }) => engineId),
      purpose: 'start',
      deadline: context.clock.now() + waitMs,
      signal,
      onScarce: () => stream.onScarce(),
    });
    return stream.openEngine(seat, true);
  } catch (error) {
    // What the engines said tells the viewer more than that there is no further one.
    if (error instanceof NoEngineError && attempts.length > 0 && verdictOf(attempts) !== 'no-engine') throw failure(attempts);
    throw error;
  }
}

/** An engine that nobody else has need of, to be tried beside `first`; null where there is none. @throws the signal's reason */
async function chooseSecond<S>(start: Start<S>, first: EngineSession, signal: AbortSignal): Promise<EngineSession | null> {
  const { stream, context, log } = start;
  const { selector, clock } = context;
  const wish = {
    streamId: stream.id,
    content: stream.wanted,
    exclude: [...start.attempts.map(({ engineId }) => engineId), first.seat.engineId],
    deadline: start.deadline,
    signal,
    onScarce: () => false,
  };
  try {
    log.info('the engine is slow to begin, another one is tried beside it', { engine: first.seat.engineId });
    const reserved = await selector.select({ ...wish, purpose: 'reserve' });
    try {
      // Held in reserve it would have to be given up to others; from here on it is this stream's.
      const seat = await selector.select({ ...wish, purpose: 'start', reserved, deadline: clock.now() + CONFIRM_MS });
      if (seat !== reserved) void reserved.release();
      return stream.openEngine(seat, false);
    } catch (error) {
      void reserved.release();
      throw error;
    }
  } catch (error) {
    if (!(error instanceof NoEngineError)) throw error;
    log.debug('no engine to be tried beside it', { problem: error.message });
    return null;
  }
}

/** Begins with one engine until `deadline`; null where it fails, which `attempts` then tell. @throws the signal's reason */
async function attempt<S>(start: Start<S>, engine: EngineSession, deadline: number, signal: AbortSignal): Promise<Begun<S> | null> {
  const progress = { phase: 'asking' as StartPhase };
  try {
    return { engine, result: await tryEngine(start, engine, progress, deadline, signal) };
  } catch (error) {
    // Its stop may take as long as its start was given to read on; the stream waits for it at its own end.
    void engine.close();
    signal.throwIfAborted();
    const failed = { engineId: engine.seat.engineId, kind: kindOf(codeOf(error), progress.phase), reason: wordsOf(error) };
    start.log.warn('engine did not start the stream', { engine: failed.engineId, kind: failed.kind, problem: failed.reason });
    start.attempts.push(failed);
    return null;
  }
}

async function tryEngine<S>(
  { stream, context }: Start<S>,
  engine: EngineSession,
  progress: { phase: StartPhase },
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
  progress.phase = 'opening';
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

function failure(attempts: readonly FailedAttempt[]): Error {
  const verdict = verdictOf(attempts);
  switch (verdict) {
    case 'no-engine':
      return new NoEngineError(attempts.length === 0 ? 'none came free in time' : attempts.map(({ reason }) => reason).join('; '), 5);
    case 'silent':
      return new EnginesSilentError(attempts);
    case 'refused':
      return new EnginesRefusedError(attempts);
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
