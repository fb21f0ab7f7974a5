/** One stream: its viewers, the engine session that feeds it, and its life from the first request to the last stop. */
import { randomUUID } from 'node:crypto';
import type { LeaveOrder } from '@acexy/contracts';
import type { EngineAddress } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import type { Broadcast } from '../broadcast/broadcast.js';
import type { LeasedEngine, WantedContent } from '../selection/engine-selector.js';
import type { ViewerSubscription } from './viewer-subscription.js';
import { type RequestedContent, type SelectorType, requestKey } from './content-key.js';
import type { EngineSession } from './engine-session.js';
import { ShuttingDownError, StreamEndedError } from './errors.js';
import type { HedgeOutcome } from './start/hedge.policy.js';
import { Linger } from './linger.js';
import type { Source } from './failover/next-source.js';
import type { EndCause, SessionContext, SessionOwner } from './session-owner.js';
import { startStream } from './start/session-start.js';
import { type SessionState, isOpen, transition } from './session-state.js';
import type { SessionSnapshot } from './session-snapshot.js';
import { FailoverController } from './failover/failover-controller.js';
import { StreamEngines } from './stream-engines.js';
import type { FailoverTarget } from './failover/failover-target.js';

/** How long the stop of an engine session takes at the most, where the engine answers. */
const STOP_MS = 3000;

export class StreamSession {
  readonly id = randomUUID();
  readonly log: Log;
  readonly startedAt: string;
  /** The content as selectors and reservations hold it: they see its infohash as soon as it is told. */
  readonly wanted: WantedContent & { keyType: SelectorType };
  /** Resolves when viewers need not wait any more: the stream plays, has failed, was merged or is over. Never rejects. */
  readonly settled: Promise<void>;
  private readonly abort = new AbortController();
  private readonly admissions = new Set<ViewerSubscription>();
  private readonly engines: StreamEngines;
  private keeper: FailoverController | null = null;
  private broadcastNow: Broadcast | null = null;
  private readonly linger: Linger;
  private readonly begunAt: number;
  private stoppedAt: number | null = null;
  private scarce = false;
  private stopping: Promise<void> | null = null;
  private run: Promise<void> = Promise.resolve();
  private settle: () => void = () => undefined;
  private stateNow: SessionState = 'starting';
  private failureNow: Error | null = null;
  private end: { cause: EndCause; reason: string; at: string } | null = null;

  constructor(
    readonly content: RequestedContent,
    private readonly context: SessionContext,
    private readonly owner: SessionOwner,
  ) {
    this.begunAt = context.clock.now();
    this.startedAt = context.clock.iso();
    const { type, value } = content.selector;
    this.wanted = { keyType: type, key: value, infohash: type === 'infohash' ? value : null };
    this.log = context.log.child('session', { stream_id: this.id });
    this.settled = new Promise((resolve) => (this.settle = resolve));
    this.engines = new StreamEngines({
      ...context,
      log: this.log,
      onChange: () => owner.onChange(this),
      onClosed: (outcome) => owner.onEngineClosed(outcome),
    });
    this.linger = new Linger(context.clock, context.lingerMs, () => void this.stop('viewers-left', 'the last viewer left'));
  }

  get state(): SessionState {
    return this.stateNow;
  }

  /** Why the start failed; null while it has not. */
  get failure(): Error | null {
    return this.failureNow;
  }

  /** Engines that this stream has used and that have not been given back. */
  uses(address: EngineAddress): boolean {
    return this.engines.includes(address);
  }

  /** Whether its engine has taken the start. */
  get answered(): boolean {
    return this.engines.current !== null && this.engines.current.playback !== null;
  }

  get broadcast(): Broadcast | null {
    return this.broadcastNow;
  }

  get viewerCount(): number {
    return this.admissions.size;
  }

  /** The moment of the clock since when nobody watches; null while somebody does. */
  get unwatchedSince(): number | null {
    return this.linger.since;
  }

  /** It has an engine, or has not given it back yet. */
  get holdsEngine(): boolean {
    return this.engines.any;
  }

  /** Its engine comes free within the time that a stop takes; one that does not answer is not counted on. */
  get isGivingBack(): boolean {
    return this.stoppedAt !== null && this.holdsEngine && this.context.clock.now() - this.stoppedAt < STOP_MS;
  }

  /** Viewers wait, and its selector has said that no engine is free. */
  get wantsEngine(): boolean {
    return this.scarce && (this.stateNow === 'starting' || this.stateNow === 'failing_over') && this.admissions.size > 0;
  }

  /** Why it ended; null before. */
  get ending(): { cause: EndCause; reason: string; at: string } | null {
    return this.end;
  }

  /** Begins the start; its outcome shows in `settled`. */
  begin(): void {
    this.log.info('stream starting', { key: requestKey(this.content) });
    this.run = this.start();
  }

  enter(admission: ViewerSubscription): void {
    this.admissions.add(admission);
    this.linger.cancel();
    if (this.stateNow === 'lingering') this.become('playing');
    this.log.debug('viewer entered', { viewers: this.admissions.size });
    this.owner.onChange(this);
  }

  exit(admission: ViewerSubscription): void {
    if (!this.admissions.delete(admission)) return;
    this.log.debug('viewer left', { viewers: this.admissions.size });
    if (this.admissions.size === 0 && isOpen(this.stateNow)) {
      if (this.stateNow === 'playing') this.become('lingering');
      this.unwatched();
    }
    this.owner.onChange(this);
  }

  /** Ends the stream, its viewers with a clean end. Resolves when every engine was told to stop and given back. Never rejects. */
  stop(cause: EndCause, reason: string): Promise<void> {
    this.stopping ??= this.close(cause, reason);
    return this.stopping;
  }

  /** Sends the viewers to the session that plays the same content, and ends. */
  mergeInto(other: StreamSession): void {
    this.log.info('the same content plays already, viewers go there', { into: other.id });
    void this.stop('merged', `the same content as stream ${other.id}`);
    for (const admission of [...this.admissions]) admission.moveTo(other);
  }

  /** Its engine, if it is the one of the order, is to be left; the stream goes on elsewhere. */
  leave(order: LeaveOrder): void {
    this.keeper?.leave(order);
  }

  /** Gives an engine that it only holds in reserve to another stream; true where there is one. */
  giveUpReserve(): boolean {
    return this.keeper?.giveUpReserve('wanted') ?? false;
  }

  /** Gives up waiting for engines that have not answered their start yet. */
  abandonEngines(): void {
    this.engines.abandon();
  }

  snapshot(): SessionSnapshot {
    const { current } = this.engines;
    return {
      streamId: this.id,
      state: this.stateNow,
      ...this.wanted,
      engine: current?.seat ?? null,
      playback: current?.playback ?? null,
      viewers: this.admissions.size,
      failovers: this.keeper?.failovers ?? 0,
      startedAt: this.startedAt,
      uptimeMs: this.ageMs,
      reserve: this.keeper?.reserved ?? null,
      broadcast: this.broadcast?.snapshot() ?? null,
    };
  }

  /** Milliseconds since it was begun. */
  private get ageMs(): number {
    return this.context.clock.now() - this.begunAt;
  }

  private async start(): Promise<void> {
    try {
      const result = await startStream<StreamSession>(this.asStarting, this.context, this.log, this.abort.signal);
      if (!isOpen(this.stateNow)) return;
      switch (result.kind) {
        case 'playing':
          this.play(result.source, result.broadcast, result.firstByteMs);
          return;
        case 'merged':
          this.mergeInto(result.into);
          return;
        default: {
          const unknown: never = result;
          throw new TypeError(`no such result: ${String(unknown)}`);
        }
      }
    } catch (error) {
      // Stopped meanwhile: whoever stopped it knows why.
      if (!isOpen(this.stateNow)) return;
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private get asStarting() {
    return {
      ...this.common,
      onHedge: (outcome: HedgeOutcome) => this.owner.onHedge(outcome),
      sharesEngine: (address: EngineAddress) => this.owner.sharesEngine(this, address),
      identify: (infohash: string) => {
        const other = this.owner.claim(this, infohash);
        if (other === null) this.wanted.infohash = infohash;
        return other;
      },
    };
  }

  private asSupplied(broadcast: Broadcast): FailoverTarget {
    return {
      ...this.common,
      broadcast,
      isWatched: () => this.admissions.size > 0,
      onLost: () => {
        if (isOpen(this.stateNow) && this.stateNow !== 'failing_over') this.become('failing_over');
      },
      onSupplied: (engine) => {
        this.engines.use(engine);
        if (this.stateNow === 'failing_over') this.become(this.admissions.size > 0 ? 'playing' : 'lingering');
        else this.owner.onChange(this);
      },
      onGivenUp: (reason) => void this.stop('source-lost', reason),
      onFailover: (failover) => this.owner.onFailover(this, failover),
      onReserve: (outcome) => this.owner.onReserve(outcome),
    };
  }

  /** What whoever looks for an engine for this stream needs of it. */
  private get common() {
    return {
      id: this.id,
      content: this.content,
      wanted: this.wanted,
      openEngine: (seat: LeasedEngine, inUse: boolean) => this.openEngine(seat, inUse),
      onScarce: () => {
        this.scarce = true;
        return this.owner.onScarce();
      },
    };
  }

  private openEngine(seat: LeasedEngine, inUse: boolean): EngineSession {
    this.scarce = false;
    return this.engines.open(seat, inUse);
  }

  private play(source: Source, broadcast: Broadcast, firstByteMs: number): void {
    this.broadcastNow = broadcast;
    this.engines.use(source.engine);
    this.keeper = new FailoverController(this.asSupplied(broadcast), source, this.context, this.log, this.abort.signal);
    this.become(this.admissions.size > 0 ? 'playing' : 'lingering');
    const times = { startMs: this.ageMs, firstByteMs };
    this.log.info('stream playing', {
      engine: source.engine.seat.engineId,
      infohash: this.wanted.infohash,
      start_ms: Math.round(times.startMs),
      first_byte_ms: Math.round(firstByteMs),
    });
    this.owner.onPlaying(this, times);
    this.settle();
    this.keeper.watch();
  }

  private fail(error: Error): void {
    this.failureNow = error;
    const text = error.message.startsWith('no engines available') ? error.message : `start failed: ${error.message}`;
    this.log.warn(text, { code: (error as { code?: string }).code });
    this.owner.onStartFailed(this, error, this.ageMs);
    void this.stop('start-failed', text);
  }

  private async close(cause: EndCause, reason: string): Promise<void> {
    this.become('stopping');
    this.stoppedAt = this.context.clock.now();
    this.end = { cause, reason, at: this.context.clock.iso() };
    this.log.info('stream stopping', { cause, reason });
    this.linger.cancel();
    this.owner.onClosing(this);
    if (!this.keeper) this.failureNow ??= cause === 'shutdown' ? new ShuttingDownError() : new StreamEndedError(reason);
    this.keeper?.stop();
    this.broadcastNow?.end();
    this.abort.abort(new StreamEndedError(reason));
    this.settle();
    await this.run;
    await this.keeper?.idle();
    await this.engines.close();
    this.end = { ...this.end, at: this.context.clock.iso() };
    this.become('ended');
    this.log.info('stream ended', { cause, reason });
    this.owner.onEnded(this);
  }

  private become(state: SessionState): void {
    this.stateNow = transition(this.stateNow, state);
    this.owner.onChange(this);
  }

  /** A stream goes on for a while without viewers, unless it only stands in somebody's way: in the queue for an engine, or on one that is wanted. */
  private unwatched(): void {
    const forbidden = this.holdsEngine ? this.owner.lingeringForbidden() : 'the last viewer left before there was an engine';
    if (forbidden !== null) {
      void this.stop('viewers-left', forbidden);
      return;
    }
    this.keeper?.giveUpReserve('returned');
    this.linger.begin();
  }
}
