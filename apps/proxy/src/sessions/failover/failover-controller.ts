/**
 * Keeps a playing stream supplied: watches its source, leases a standby engine while the source is silent, and continues the stream from another engine
 * when the source is lost or its engine is drained. The old engine is released when it has nothing more to give, else after the splice.
 */
import type { LeaveOrder } from '@acexy/contracts';
import { EngineRefusedError } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import { sleep, withJitter } from '@acexy/service-kit/primitives';
import type { Broadcast, SourceFault } from '../../broadcast/broadcast.js';
import type { LeasedEngine } from '../../selection/engine-selector.js';
import { type ReportException, exceptionReporter } from '../exceptions.js';
import type { SessionSource } from '../media-feed.js';
import type { FailoverTarget, SessionContext } from '../session-context.js';
import type { FailoverOutcome } from '../session-events.js';
import { EngineCooldowns, type EngineFailure } from './engine-cooldowns.js';
import {
  type FailoverCause,
  type LossReason,
  QUALITY_PAUSE_MS,
  SOUND_AFTER_MS,
  STANDBY_WAIT_MS,
  type Search,
  attemptLimitMs,
  describeCause,
  engineWaitMs,
  planSearch,
} from './failover.plan.js';
import { type SourceAttemptResult, openNextSource } from './next-source.js';
import { SearchLog } from './search-log.js';
import { SourceMonitor } from './source-monitor.js';
import { StandbyEngine } from './standby-engine.js';

export class FailoverController {
  readonly standby: StandbyEngine;
  private readonly cooldowns = new EngineCooldowns();
  private readonly monitor: SourceMonitor;
  private readonly report: ReportException;
  private readonly searchLog: SearchLog;
  private movedForQualityAt = -Infinity;
  /** Why another engine is being searched; null while none is. */
  private cause: FailoverCause | null = null;
  private lost = false;
  /** While the source is lost: only engines that failed before are free. */
  private noneFree = false;
  private lastByteAt: number;
  private suppliedAt: number;
  private quickLosses = 0;
  private running: Promise<void> = Promise.resolve();
  private failovers = 0;
  /** The engine that is being tried. */
  private candidate: { containerId: string | null; cancel: AbortController } | null = null;

  constructor(
    private readonly stream: FailoverTarget,
    private readonly broadcast: Broadcast,
    private source: SessionSource,
    private readonly context: SessionContext,
    private readonly log: Log,
    private readonly signal: AbortSignal,
  ) {
    this.suppliedAt = context.clock.now();
    this.lastByteAt = this.suppliedAt;
    this.report = exceptionReporter(log, context.emit);
    this.monitor = new SourceMonitor(broadcast, context.clock, (fault) => this.onFault(fault), this.report);
    this.standby = new StandbyEngine(context, log);
    this.searchLog = new SearchLog(log);
  }

  /** How often the stream has continued from another engine. */
  get count(): number {
    return this.failovers;
  }

  /** Resolves when no failover is running and no standby engine is leased. Never rejects. */
  async idle(): Promise<void> {
    await this.running;
    this.standby.release('returned');
    await this.standby.idle;
  }

  watch(): void {
    if (this.signal.aborted) return;
    this.monitor.start();
    this.source.feed.watch({
      onLoss: (loss) => this.contained(() => this.onLoss(loss)),
      onQuiet: () => this.contained(() => this.onQuiet()),
      onFlowing: () => this.contained(() => this.standby.release('returned')),
    });
  }

  /** Reads no more bytes. */
  stop(): void {
    this.monitor.stop();
    this.standby.release('returned');
    this.source.feed.stop();
  }

  /** The orchestrator drains an engine: the stream moves while the engine still plays. */
  leaveEngine({ container_id: id, reason }: LeaveOrder): void {
    if (this.signal.aborted) return;
    if (this.candidate?.containerId === id) {
      this.log.info('candidate engine is draining', { engine_id: id, reason });
      this.candidate.cancel.abort(new Error(`the orchestrator drains the engine: ${reason}`));
      return;
    }
    if (this.source.engine.leased.containerId !== id || this.cause !== null) return;
    this.log.info('stream leaves draining engine', { engine_id: id, reason });
    this.begin('drained');
  }

  /** Without a source and without a search for one, the stream would never end. */
  private contained(work: () => void): void {
    try {
      work();
    } catch (error) {
      const isStranded = this.lost && this.cause === null;
      this.report(isStranded ? 'stream' : 'none', error);
      if (isStranded) this.stream.onNoSource('the failover failed unexpectedly');
    }
  }

  /** If the silence lasts as long again it is a loss: then the next engine is ready. */
  private onQuiet(): void {
    if (this.cause !== null || this.signal.aborted || !this.stream.isWatched) return;
    this.log.debug('source silent, leasing standby engine', { engine_id: this.engineId });
    const { id: streamId, names: content } = this.stream;
    this.standby.lease({ streamId, content, exclude: this.excluded(false), waitMs: STANDBY_WAIT_MS });
  }

  /** A source that repeats itself is stopped at once; for other faults the stream moves while it plays. */
  private onFault(fault: SourceFault): void {
    const now = this.context.clock.now();
    if (this.cause !== null || now - this.movedForQualityAt < QUALITY_PAUSE_MS) return;
    this.movedForQualityAt = now;
    this.log.warn('source is faulty', { fault, reason: describeCause(fault), engine_id: this.engineId });
    if (fault === 'looping') this.onLoss(fault);
    else this.begin(fault);
  }

  private onLoss(loss: LossReason | 'looping'): void {
    if (this.signal.aborted) return;
    this.monitor.stop();
    const now = this.context.clock.now();
    this.lost = true;
    this.lastByteAt = this.source.feed.lastByteAt ?? this.suppliedAt;
    this.log.warn('source lost', { loss, reason: describeCause(loss), engine_id: this.engineId });
    this.cooldowns.add(this.engineId, loss === 'eof' ? 'declined' : 'failed', now);
    // A stalled source may deliver again, so it is kept until another one is found.
    if (loss !== 'stall') void this.closeSource();
    this.stream.onSourceLost();
    this.quickLosses = now - this.suppliedAt < SOUND_AFTER_MS ? this.quickLosses + 1 : 0;
    if (this.cause === null) this.begin(loss);
    else this.cause = loss;
  }

  private begin(cause: FailoverCause): void {
    this.cause = cause;
    this.running = this.search().catch((error: unknown) => {
      if (this.signal.aborted) return;
      const stillPlays = this.cause !== null && !this.lost;
      this.report(stillPlays ? 'none' : 'stream', error);
      this.finish('given-up', null);
      if (!stillPlays) this.stream.onNoSource('the failover failed unexpectedly');
    });
  }

  private async search(): Promise<void> {
    const { clock, random, settings } = this.context;
    const began = clock.now();
    const before = this.failovers > 0 ? this.quickLosses : 0;
    for (let attempts = 0; this.cause !== null; attempts++) {
      const plan = planSearch(this.describeSearch(began, attempts + before), settings);
      if (plan.step === 'give-up') return this.giveUp();
      if (plan.pauseMs > 0) await sleep(clock, withJitter(plan.pauseMs, random), this.signal);
      if (this.lost && this.source.feed.flows) return this.recover();
      // An engine that is still silent and may be tried again must be released first.
      if (this.lost && !this.cooldowns.excluded(clock.now(), this.noneFree).includes(this.engineId)) await this.closeSource();
      const search = this.describeSearch(began, attempts);
      this.handle(await this.tryNext(search), search);
    }
  }

  private describeSearch(began: number, attempts: number): Search {
    const now = this.context.clock.now();
    return {
      lost: this.lost,
      silentMs: this.lost ? now - Math.max(this.lastByteAt, this.source.feed.lastByteAt ?? 0) : 0,
      searchingMs: now - began,
      attempts,
      cooldownMs: this.cooldowns.remainingMs(now, this.noneFree),
    };
  }

  private async tryNext(search: Search): Promise<SourceAttemptResult> {
    const { stream, context } = this;
    const candidate = { containerId: null as string | null, cancel: new AbortController() };
    this.candidate = candidate;
    const attempt = {
      exclude: this.excluded(this.lost),
      // A stream that still plays is no more urgent than one that viewers wait for, unless its engine is drained.
      purpose: this.lost || this.cause === 'drained' ? ('failover' as const) : ('start' as const),
      standby: this.standby.take(),
      waitMs: engineWaitMs(search, context.settings),
      limitMs: attemptLimitMs(search, context.settings),
      cancelled: candidate.cancel.signal,
      openEngine: (leased: LeasedEngine) => {
        candidate.containerId = leased.containerId;
        return stream.openEngine(leased, this.lost);
      },
      onSplice: (next: SessionSource) => this.switchTo(next),
    };
    try {
      return await openNextSource(stream, this.broadcast, attempt, context, this.report, this.signal);
    } finally {
      this.candidate = null;
    }
  }

  /** Engines that failed lately, and the one in use unless it is `lost`. */
  private excluded(lost: boolean): string[] {
    const failed = this.cooldowns.excluded(this.context.clock.now(), this.noneFree);
    return lost ? failed : [...new Set([...failed, this.engineId])];
  }

  private switchTo(next: SessionSource): void {
    void this.closeSource();
    if (!this.lost) this.avoid(this.engineId, 'failed');
    this.lastByteAt = Math.max(this.lastByteAt, this.source.feed.lastByteAt ?? 0);
    this.source = next;
    this.failovers += 1;
  }

  private handle(result: SourceAttemptResult, search: Search): void {
    if (result.kind === 'spliced') return this.continueWith(result);
    this.searchLog.add(result, search.silentMs);
    if (result.kind === 'no-engine') {
      this.noneFree = this.lost;
      return;
    }
    const isDeclined = result.kind === 'failed' && result.error instanceof EngineRefusedError;
    this.avoid(result.engineId, isDeclined ? 'declined' : 'failed');
    if (result.kind !== 'refused' || !this.lost) return;
    this.finish('refused', null);
    this.stream.onNoSource('the content has another codec now');
  }

  private continueWith({ splice, searchMs }: Extract<SourceAttemptResult, { kind: 'spliced' }>): void {
    const { clock } = this.context;
    const gapMs = this.lost ? clock.now() - this.lastByteAt : null;
    this.log.info('failover succeeded', {
      engine_id: this.engineId,
      cause: this.cause,
      splice,
      search_ms: Math.round(searchMs),
      gap_ms: Math.round(gapMs ?? 0),
    });
    this.finish(splice, gapMs);
    this.suppliedAt = clock.now();
    this.stream.onSourceReady(this.source.engine);
    this.watch();
  }

  private recover(): void {
    this.log.info('source recovered', { engine_id: this.engineId });
    this.finish('recovered', null);
    this.stream.onSourceReady(this.source.engine);
    this.watch();
  }

  private giveUp(): void {
    const reason = describeCause(this.cause ?? 'eof');
    const { lost } = this;
    this.finish('given-up', null);
    // A stream that still plays stays where it is.
    if (lost) this.stream.onNoSource(`${reason}, and no other engine could continue the stream`);
  }

  private finish(outcome: FailoverOutcome, gapMs: number | null): void {
    const { cause } = this;
    this.cause = null;
    this.lost = false;
    this.noneFree = false;
    this.searchLog.clear();
    if (cause !== null) this.context.emit({ type: 'failover_finished', cause, outcome, gapMs });
  }

  private avoid(engineId: string, failure: EngineFailure): void {
    this.cooldowns.add(engineId, failure, this.context.clock.now());
  }

  /** Stops reading, stops the engine session and releases the engine, which may be dead. */
  private closeSource(): Promise<void> {
    this.source.feed.stop();
    return this.source.engine.close();
  }

  private get engineId(): string {
    return this.source.engine.engineId;
  }
}
