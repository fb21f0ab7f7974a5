/**
 * Keeps a playing stream supplied: watches the source that feeds it, makes another engine ready while it is quiet, and carries the stream on from that
 * when the source is lost or to be left. The old engine is let go when it has nothing more to give, else when the stream has gone on with another one.
 */
import type { LeaveOrder } from '@acexy/contracts';
import { EngineRefusedError } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import { sleep } from '@acexy/service-kit/primitives';
import { EngineCooldowns } from './engine-cooldowns.js';
import {
  type FailoverCause,
  type LossReason,
  QUALITY_PAUSE_MS,
  RESERVE_WAIT_MS,
  type Search,
  SOUND_AFTER_MS,
  describeCause,
  engineWaitMs,
  planSearch,
  tryLimitMs,
} from './loss.plan.js';
import { type NextSourceResult, type Source, openNextSource } from './next-source.js';
import { StandbyEngine } from './standby-engine.js';
import { type QualityFault, SourceMonitor } from './source-monitor.js';
import type { FailoverOutcome, FailoverContext, FailoverTarget } from './failover-target.js';

interface Trial {
  /** Null until an engine is chosen. */
  containerId: string | null;
  readonly abort: AbortController;
}

export class FailoverController {
  private readonly failed = new EngineCooldowns();
  private readonly monitor: SourceMonitor;
  private readonly reserve: StandbyEngine;
  private movedForQualityAt = -Infinity;
  private cause: FailoverCause | null = null;
  private lost = false;
  /** While it is lost: there was no engine but those that have failed. */
  private scarce = false;
  private lastByteAt: number;
  private suppliedAt: number;
  private quickLosses = 0;
  private run: Promise<void> = Promise.resolve();
  private spliced = 0;
  /** The engine that is being tried; aborted where it is to be left itself. */
  private trial: Trial | null = null;

  constructor(
    private readonly stream: FailoverTarget,
    private source: Source,
    private readonly context: FailoverContext,
    private readonly log: Log,
    private readonly signal: AbortSignal,
  ) {
    this.suppliedAt = context.clock.now();
    this.lastByteAt = this.suppliedAt;
    this.monitor = new SourceMonitor(stream.broadcast, context.clock, (fault) => this.onFault(fault));
    this.reserve = new StandbyEngine({ ...context, log, onEnd: (outcome) => stream.onReserve(outcome) });
  }

  /** How often the stream has gone on from another engine. */
  get failovers(): number {
    return this.spliced;
  }

  /** The engine held in reserve; null while there is none. */
  get reserved(): string | null {
    return this.reserve.engineId;
  }

  /** Resolves when no failover is under way, and no reserve held. Never rejects. */
  async idle(): Promise<void> {
    await this.run;
    this.reserve.giveUp('returned');
    await this.reserve.idle;
  }

  watch(): void {
    if (this.signal.aborted) return;
    this.monitor.start();
    this.source.feed.watch({
      onLoss: (loss) => this.onLoss(loss),
      onQuiet: () => this.onQuiet(),
      onFlowing: () => this.reserve.giveUp('returned'),
    });
  }

  /** No more bytes are taken. */
  stop(): void {
    this.monitor.stop();
    this.reserve.giveUp('returned');
    this.source.feed.stop();
  }

  /** An engine held in reserve is `wanted` by another stream, or not needed any more. True where one comes free. */
  giveUpReserve(why: 'wanted' | 'returned'): boolean {
    return this.reserve.giveUp(why);
  }

  /** The orchestrator wants the engine back: the stream moves while it still plays. */
  leave({ container_id: id, reason }: LeaveOrder): void {
    if (this.signal.aborted) return;
    if (this.trial?.containerId === id) {
      this.log.info('the engine that is being tried is to be left, trying another', { engine: id, reason });
      this.trial.abort.abort(new Error(`the orchestrator wants the engine to be left: ${reason}`));
      return;
    }
    if (this.source.engine.seat.containerId !== id || this.cause !== null) return;
    this.log.info('the engine is to be left, moving', { engine: id, reason });
    this.begin('drained');
  }

  /** If the silence lasts as long again it is a loss: then the next engine is at hand. */
  private onQuiet(): void {
    if (this.cause !== null || this.signal.aborted || !this.stream.isWatched()) return;
    this.log.debug('the source is quiet, looking for an engine in reserve', { engine: this.source.engine.seat.engineId });
    const { stream } = this;
    this.reserve.begin({ streamId: stream.id, content: stream.wanted, exclude: this.excluded(false), waitMs: RESERVE_WAIT_MS });
  }

  /** The source delivers, but not what it should: the stream moves while it plays, and waits for nothing if it repeats itself. */
  private onFault(fault: QualityFault): void {
    const now = this.context.clock.now();
    if (this.cause !== null || now - this.movedForQualityAt < QUALITY_PAUSE_MS) return;
    this.movedForQualityAt = now;
    this.log.warn('the source is not what it should be', { fault, reason: describeCause(fault), engine: this.source.engine.seat.engineId });
    if (fault === 'looping') this.onLoss(fault);
    else this.begin(fault);
  }

  private onLoss(loss: LossReason | 'looping'): void {
    if (this.signal.aborted) return;
    this.monitor.stop();
    const { engine, feed } = this.source;
    const now = this.context.clock.now();
    this.lost = true;
    this.lastByteAt = feed.lastByteAt ?? this.suppliedAt;
    this.log.warn('stream lost', { loss, reason: describeCause(loss), engine: engine.seat.engineId });
    this.failed.add(engine.seat.engineId, loss === 'eof' ? 'declined' : 'failed', now);
    // What has stalled may come back; until another one is found it is not let go.
    if (loss !== 'stall') void this.letGo();
    this.stream.onLost();
    this.quickLosses = now - this.suppliedAt < SOUND_AFTER_MS ? this.quickLosses + 1 : 0;
    if (this.cause === null) this.begin(loss);
    else this.cause = loss;
  }

  private begin(cause: FailoverCause): void {
    this.cause = cause;
    this.run = this.replace().catch((error: unknown) => {
      if (this.signal.aborted) return;
      this.log.error('failover broke', { error });
      const moving = this.cause !== null && !this.lost;
      this.end('given-up', null);
      if (!moving) this.stream.onGivenUp('the failover broke');
    });
  }

  private async replace(): Promise<void> {
    const { clock, random } = this.context;
    const began = clock.now();
    const before = this.spliced > 0 ? this.quickLosses : 0;
    for (let tries = 0; this.cause !== null; tries++) {
      const plan = planSearch(this.search(began, tries + before), this.context);
      if (plan.step === 'give-up') return this.giveUp();
      if (plan.pauseMs > 0) await sleep(clock, plan.pauseMs * (0.5 + random() / 2), this.signal);
      if (this.lost && this.source.feed.flows) return this.recover();
      // One that is silent still: from now on it may be asked for a new session, which it can be only when it has been given back.
      if (this.lost && !this.failed.excluded(clock.now(), this.scarce).includes(this.source.engine.seat.engineId)) await this.letGo();
      const search = this.search(began, tries);
      this.note(await this.tryNext(search), search);
    }
  }

  private search(began: number, tries: number): Search {
    const now = this.context.clock.now();
    return {
      lost: this.lost,
      silentMs: this.lost ? now - Math.max(this.lastByteAt, this.source.feed.lastByteAt ?? 0) : 0,
      searchingMs: now - began,
      tries,
      pardonMs: this.failed.pardonMs(now, this.scarce),
    };
  }

  /** One that is to be left while it is tried counts as one that failed. */
  private async tryNext(search: Search): Promise<NextSourceResult> {
    const abort = new AbortController();
    const trial: Trial = { containerId: null, abort };
    this.trial = trial;
    try {
      return await this.openNext(search, trial);
    } catch (error) {
      if (this.signal.aborted || !abort.signal.aborted || trial.containerId === null) throw error;
      return { kind: 'failed', engineId: trial.containerId, error: abort.signal.reason };
    } finally {
      this.trial = null;
    }
  }

  private openNext(search: Search, trial: Trial): Promise<NextSourceResult> {
    const { stream, context } = this;
    return openNextSource(
      {
        streamId: stream.id,
        content: stream.content,
        wanted: stream.wanted,
        broadcast: stream.broadcast,
        exclude: this.excluded(this.lost),
        // A stream that plays, if badly, is no more urgent than one that viewers wait for.
        purpose: this.lost || this.cause === 'drained' ? 'failover' : 'start',
        reserved: this.reserve.take(),
        waitMs: engineWaitMs(search, context),
        limitMs: tryLimitMs(search, context),
        openEngine: (seat) => {
          trial.containerId = seat.containerId;
          return stream.openEngine(seat, this.lost);
        },
        onScarce: () => stream.onScarce(),
        onSplice: (next) => this.swap(next),
      },
      context,
      AbortSignal.any([this.signal, trial.abort.signal]),
    );
  }

  /** Engines not to be asked: those that failed lately, and the one in use unless it is `lost`. */
  private excluded(lost: boolean): string[] {
    const failed = this.failed.excluded(this.context.clock.now(), this.scarce);
    return lost ? failed : [...new Set([...failed, this.source.engine.seat.engineId])];
  }

  /** In the moment of the splice. */
  private swap(next: Source): void {
    const { clock } = this.context;
    const now = clock.now();
    void this.letGo();
    if (!this.lost) this.failed.add(this.source.engine.seat.engineId, 'failed', now);
    this.lastByteAt = Math.max(this.lastByteAt, this.source.feed.lastByteAt ?? 0);
    this.source = next;
    this.spliced += 1;
  }

  private note(result: NextSourceResult, search: Search): void {
    const { clock } = this.context;
    switch (result.kind) {
      case 'spliced': {
        const { cause, lost } = this;
        const gapMs = lost ? clock.now() - this.lastByteAt : null;
        const { engine } = this.source;
        this.log.info('stream goes on from another engine', {
          engine: engine.seat.engineId,
          cause,
          splice: result.splice,
          search_ms: Math.round(result.searchMs),
          gap_ms: gapMs === null ? 0 : Math.round(gapMs),
        });
        this.end(result.splice, gapMs);
        this.suppliedAt = clock.now();
        this.stream.onSupplied(engine);
        this.watch();
        return;
      }
      case 'no-engine':
        this.scarce = this.lost;
        this.log.warn('no engine to go on from', { problem: messageOf(result.error), silent_ms: Math.round(search.silentMs) });
        return;
      case 'failed':
        this.failed.add(result.engineId, result.error instanceof EngineRefusedError ? 'declined' : 'failed', clock.now());
        this.log.warn('engine did not carry the stream on', {
          engine: result.engineId,
          problem: messageOf(result.error),
        });
        return;
      case 'refused':
        this.log.warn('the content has another codec there', { engine: result.engineId, ...result.refusal });
        this.failed.add(result.engineId, 'failed', clock.now());
        if (!this.lost) return;
        this.end('refused', null);
        this.stream.onGivenUp('the content has changed its codec');
        return;
      default: {
        const unknown: never = result;
        throw new TypeError(`no such result: ${String(unknown)}`);
      }
    }
  }

  private recover(): void {
    this.log.info('the engine delivers again', { engine: this.source.engine.seat.engineId });
    this.end('recovered', null);
    this.stream.onSupplied(this.source.engine);
    this.watch();
  }

  private giveUp(): void {
    const reason = describeCause(this.cause ?? 'eof');
    const { lost } = this;
    this.end('given-up', null);
    // A move that came to nothing leaves the stream where it is.
    if (lost) this.stream.onGivenUp(`${reason}, and no other engine carried it on`);
  }

  private end(outcome: FailoverOutcome, gapMs: number | null): void {
    const { cause } = this;
    this.cause = null;
    this.lost = false;
    this.scarce = false;
    if (cause !== null) this.stream.onFailover({ cause, outcome, gapMs });
  }

  /** Stops the session on the old engine, which may be dead, and gives it back. */
  private letGo(): Promise<void> {
    this.source.feed.stop();
    return this.source.engine.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
