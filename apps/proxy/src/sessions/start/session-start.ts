/** From a content to its first packets: leases and starts engines, one after the other, until one plays or the plan gives up. */
import { EngineAnswerError, EngineTimeoutError } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import { messageOf } from '@acexy/service-kit/primitives';
import { Broadcast } from '../../broadcast/broadcast.js';
import { NoEngineError, type SelectRequest } from '../../selection/engine-selector.js';
import type { EngineSession } from '../engine-session.js';
import { EnginesRefusedError, EnginesSilentError } from '../errors.js';
import { exceptionReporter } from '../exceptions.js';
import { MediaFeed, type SessionSource } from '../media-feed.js';
import type { SessionContext, StartingStream } from '../session-context.js';
import { mayStart } from './shared-engine.js';
import { HEDGE_LIMIT_MS, hedgeDelayMs, hedged } from './hedge.js';
import { type FailedAttempt, type StartPhase, kindOf, nextStep, selectionLimitMs, verdictOf } from './start.plan.js';

/** How long the orchestrator may take to confirm that a standby lease is still valid. */
const CONFIRM_MS = 3000;

export interface StartedStream {
  source: SessionSource;
  broadcast: Broadcast;
  /** From the engine's answer to the first packet, in ms. */
  firstByteMs: number;
}

interface Outcome {
  engine: EngineSession;
  result: StartedStream | 'merged';
}

export class SessionStart {
  private readonly failed: FailedAttempt[] = [];
  private readonly deadline: number;
  /** Until when an engine is waited for. */
  private readonly selectBy: number;

  constructor(
    private readonly stream: StartingStream,
    private readonly context: SessionContext,
    private readonly log: Log,
    private readonly signal: AbortSignal,
  ) {
    const { startTimeoutMs } = context.settings;
    this.deadline = context.clock.now() + startTimeoutMs;
    this.selectBy = context.clock.now() + selectionLimitMs(startTimeoutMs);
  }

  /**
   * `merged`: another session already plays the content, see {@link StartingStream.identify}.
   * @throws NoEngineError | EnginesRefusedError | EnginesSilentError when no engine delivers within the limits; the signal's reason
   */
  async run(): Promise<StartedStream | 'merged'> {
    for (;;) {
      const next = nextStep(this.failed, this.selectBy - this.context.clock.now());
      if (next.step === 'give-up') throw this.failure();
      const engine = await this.chooseEngine(next.waitMs);
      this.signal.throwIfAborted();
      const outcome = await this.startWithHedge(engine);
      if (outcome !== null) return outcome.result;
    }
  }

  /** null when the engine, and a second one beside it if it is slow, failed. @throws the signal's reason */
  private startWithHedge(engine: EngineSession): Promise<Outcome | null> {
    const { clock, settings, emit } = this.context;
    let second: EngineSession | null = null;
    return hedged<Outcome>(
      {
        first: (signal) => this.attempt(engine, this.deadline, signal),
        second: async (signal) => {
          second = await this.chooseSecond(engine, signal);
          return second && this.attempt(second, Math.min(this.deadline, clock.now() + HEDGE_LIMIT_MS), signal);
        },
        afterMs: hedgeDelayMs(settings.hedgeAfterMs, this.deadline - clock.now()),
        onFinished: (secondWon) => emit({ type: 'hedge_finished', outcome: second === null ? 'none' : secondWon ? 'won' : 'lost' }),
        discard: ({ engine: slower, result }) => {
          if (result !== 'merged') result.source.feed.stop();
          void slower.close();
        },
      },
      clock,
      this.signal,
    );
  }

  private async chooseEngine(waitMs: number): Promise<EngineSession> {
    const { selector, clock } = this.context;
    try {
      const request = this.selectRequest([], clock.now() + waitMs, this.signal);
      const leased = await selector.select({ ...request, purpose: 'start', onNoneFree: () => this.stream.onNoneFree() });
      return this.stream.openEngine(leased, true);
    } catch (error) {
      // The errors of the engines help the viewer more than the fact that there is no further engine.
      if (error instanceof NoEngineError && this.failed.some(({ kind }) => kind !== 'unreachable')) throw this.failure();
      throw error;
    }
  }

  /** An engine that nobody else needs; null when there is none. @throws the signal's reason */
  private async chooseSecond(first: EngineSession, signal: AbortSignal): Promise<EngineSession | null> {
    const { selector, clock } = this.context;
    const request = this.selectRequest([first.engineId], this.selectBy, signal);
    try {
      this.log.info('engine slow, trying a second one', { engine_id: first.engineId });
      const standby = await selector.select({ ...request, purpose: 'reserve' });
      try {
        // The orchestrator may give a standby lease to others, so it becomes a normal lease now.
        const leased = await selector.select({ ...request, purpose: 'start', standby, deadline: clock.now() + CONFIRM_MS });
        if (leased !== standby) void standby.release();
        return this.stream.openEngine(leased, false);
      } catch (error) {
        void standby.release();
        throw error;
      }
    } catch (error) {
      if (!(error instanceof NoEngineError)) throw error;
      this.log.debug('no second engine free', { error: error.message });
      return null;
    }
  }

  private selectRequest(exclude: string[], deadline: number, signal: AbortSignal): Omit<SelectRequest, 'purpose'> {
    return {
      streamId: this.stream.id,
      content: this.stream.names,
      exclude: [...this.failed.map(({ engineId }) => engineId), ...exclude],
      deadline,
      signal,
      onNoneFree: () => false,
    };
  }

  /** null when the engine failed; {@link failed} then says why. @throws the signal's reason */
  private async attempt(engine: EngineSession, deadline: number, signal: AbortSignal): Promise<Outcome | null> {
    const progress = { phase: 'asking' as StartPhase };
    try {
      return { engine, result: await this.startOn(engine, progress, deadline, signal) };
    } catch (error) {
      // Closing may take as long as a late reply to the start; the session waits for it at its own end.
      void engine.close();
      signal.throwIfAborted();
      const { engineId } = engine;
      const failed = { engineId, kind: kindOf((error as { code?: string } | null)?.code, progress.phase), reason: reasonOf(error) };
      this.log.warn('start attempt failed', { engine_id: engineId, kind: failed.kind, error: failed.reason });
      this.failed.push(failed);
      return null;
    }
  }

  private async startOn(
    engine: EngineSession,
    progress: { phase: StartPhase },
    deadline: number,
    signal: AbortSignal,
  ): Promise<StartedStream | 'merged'> {
    const { clock, settings, startLimit, broadcast: broadcastSettings } = this.context;
    const { stream } = this;
    const left = (limitMs: number): number => Math.max(1, Math.min(limitMs, deadline - clock.now()));
    const isNew = await startLimit.run(engine.leased.address, left(settings.noResponseTimeoutMs), signal, async () => {
      if (!(await mayStart(stream, engine, clock, left(settings.noResponseTimeoutMs), signal))) return false;
      const { infohash } = await engine.start(stream.content, left(settings.noResponseTimeoutMs), signal);
      return infohash === null || stream.identify(infohash);
    });
    if (!isNew) return 'merged';
    progress.phase = 'opening';
    const answeredAt = clock.now();
    const firstPacketBy = answeredAt + left(settings.firstByteTimeoutMs);
    const media = await engine.openMedia(firstPacketBy, signal);
    const report = exceptionReporter(this.log, this.context.emit);
    const broadcast = new Broadcast(broadcastSettings, clock, (error) => report('none', error));
    const feed = new MediaFeed(media, broadcast, clock, settings.stallTimeoutMs, report);
    try {
      await feed.begin(Math.max(1, firstPacketBy - clock.now()), signal);
      return { source: { engine, feed }, broadcast, firstByteMs: clock.now() - answeredAt };
    } catch (error) {
      feed.stop();
      throw error;
    }
  }

  private failure(): Error {
    const verdict = verdictOf(this.failed);
    switch (verdict) {
      case 'no-engine':
        return new NoEngineError(this.failed.map(({ reason }) => reason).join('; ') || 'no engine became free in time', 5);
      case 'silent':
        return new EnginesSilentError(this.failed);
      case 'refused':
        return new EnginesRefusedError(this.failed);
      default: {
        const unknown: never = verdict;
        throw new TypeError(`unknown verdict: ${String(unknown)}`);
      }
    }
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof EngineAnswerError) return error.reason;
  if (error instanceof EngineTimeoutError) return `no ${error.phase} within ${Math.round(error.limitMs)} ms`;
  return messageOf(error);
}
