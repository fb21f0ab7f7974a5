/** One content being played: its viewers, the engine session that feeds it, and its life from the first request to the last stop. */
import { randomUUID } from 'node:crypto';
import type { LeaveOrder } from '@acexy/contracts';
import type { EngineAddress } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import { asError, OneShotTimer, pause } from '@acexy/service-kit/primitives';
import type { Broadcast } from '../broadcast/broadcast.js';
import { type ContentNames, type LeasedEngine, NO_ENGINE_TEXT, NoEngineError } from '../selection/engine-selector.js';
import { type RequestedContent, type SelectorType, requestKey } from '../http/content-key.js';
import type { EngineSession } from './engine-session.js';
import { StreamEndedError, endError } from './errors.js';
import { FailoverController } from './failover/failover-controller.js';
import type { EngineSharer, FailoverTarget, OtherSessions, SessionContext, StartingStream, Subscriber } from './session-context.js';
import type { EndCause, SessionEnd } from './session-events.js';
import type { SessionSnapshot } from './session-snapshot.js';
import { type SessionState, isOpen, transition } from './session-state.js';
import { SessionStart, type StartedStream } from './start/session-start.js';
import { StreamEngines } from './stream-engines.js';

/** Longest time that stopping an engine session takes when the engine answers. */
const STOP_MS = 3000;
/** From the first packet of a stream to its lookup: viewers of streams that start at the same moment come first. */
const LOOKUP_DELAY_MS = 1000;

export class StreamSession implements StartingStream, FailoverTarget {
  readonly id = randomUUID();
  /** Shared with selectors and reservations: they see the infohash as soon as it is known. */
  readonly names: ContentNames & { keyType: SelectorType; /** null while unknown. */ title: string | null };
  /** Resolves when viewers need not wait any longer: the stream plays, its start failed, it was merged or it ended. Never rejects. */
  readonly settled: Promise<void>;
  readonly engines: StreamEngines;
  /** null before the first packet. */
  broadcast: Broadcast | null = null;
  /** Why the stream never played; null while it may or does. */
  startError: Error | null = null;
  /** Time of the clock when lingering began; null while it does not linger. */
  unwatchedSince: number | null = null;
  private readonly log: Log;
  private readonly startedAt: string;
  private readonly createdAt: number;
  private readonly abort = new AbortController();
  private readonly subscribers = new Set<Subscriber<StreamSession>>();
  private readonly linger: OneShotTimer;
  private failover: FailoverController | null = null;
  private currentState: SessionState = 'starting';
  /** The session that already plays the content, when this one merges into it. */
  private existing: StreamSession | null = null;
  private noneFree = false;
  private stoppedAt: number | null = null;
  private stopping: Promise<void> | null = null;
  private starting: Promise<void> = Promise.resolve();
  private settle: () => void = () => undefined;

  constructor(
    readonly content: RequestedContent,
    private readonly context: SessionContext,
    private readonly others: OtherSessions<StreamSession>,
  ) {
    const { clock } = context;
    this.createdAt = clock.now();
    this.startedAt = clock.iso();
    const { type, value } = content.selector;
    this.names = { keyType: type, key: value, infohash: type === 'infohash' ? value : null, title: null };
    this.log = context.log.child('session', { stream_id: this.id });
    this.settled = new Promise((resolve) => (this.settle = resolve));
    this.engines = new StreamEngines(context, this.log);
    this.linger = new OneShotTimer(clock, () => void this.stop('viewers-left', 'the last viewer left'));
  }

  get state(): SessionState {
    return this.currentState;
  }

  get viewerCount(): number {
    return this.subscribers.size;
  }

  get isWatched(): boolean {
    return this.subscribers.size > 0;
  }

  /** How far it is. Of two sessions of one content, the one that is further goes on. */
  get progress(): number {
    return this.broadcast !== null ? 3 : (this.engines.current?.progress ?? 0);
  }

  /** Viewers may join. */
  get isOpen(): boolean {
    return isOpen(this.state);
  }

  /** Its engine is free within the time of a normal stop; an engine that does not answer its stop is not counted on. */
  get isReleasingEngine(): boolean {
    return this.stoppedAt !== null && this.engines.anyUnreleased && this.context.clock.now() - this.stoppedAt < STOP_MS;
  }

  /** Viewers wait, and the selector found no free engine. */
  get needsEngine(): boolean {
    return this.noneFree && (this.state === 'starting' || this.state === 'failing_over') && this.isWatched;
  }

  /** Starts the stream; {@link settled} resolves when the outcome is known. */
  start(): void {
    this.log.info('stream starting', { key: requestKey(this.content) });
    this.starting = this.runStart();
  }

  add(subscriber: Subscriber<StreamSession>): void {
    this.subscribers.add(subscriber);
    this.stopLingering();
    if (this.state === 'lingering') this.become('playing');
    this.log.debug('viewer subscribed', { viewers: this.viewerCount });
    this.changed();
  }

  remove(subscriber: Subscriber<StreamSession>): void {
    if (!this.subscribers.delete(subscriber)) return;
    this.log.debug('viewer left', { viewers: this.viewerCount });
    if (!this.isWatched && this.isOpen) {
      if (this.state === 'playing') this.become('lingering');
      this.lingerOrStop();
    }
    this.changed();
  }

  /** Ends the stream; its viewers get a clean end. Resolves when every engine is stopped and released. Never rejects. */
  stop(cause: EndCause, reason: string): Promise<void> {
    return (this.stopping ??= this.close(cause, reason));
  }

  /** Moves the viewers to the session that plays the same content, and ends. */
  mergeInto(other: StreamSession): void {
    this.log.info('merging into existing session', { into_stream_id: other.id });
    void this.stop('merged', `the same content as stream ${other.id}`);
    for (const subscriber of [...this.subscribers]) subscriber.moveTo(other);
  }

  /** Moves the stream to another engine if it uses the one of the order. */
  leaveEngine(order: LeaveOrder): void {
    this.failover?.leaveEngine(order);
  }

  /** Releases the standby engine for another session. Returns false when there is none. */
  releaseStandby(): boolean {
    return this.failover?.standby.release('preempted') ?? false;
  }

  snapshot(): SessionSnapshot {
    const { current } = this.engines;
    return {
      streamId: this.id,
      state: this.state,
      ...this.names,
      engine: current?.leased ?? null,
      playback: current?.playback ?? null,
      viewers: this.viewerCount,
      failovers: this.failover?.count ?? 0,
      startedAt: this.startedAt,
      uptimeMs: this.ageMs,
      standbyEngine: this.failover?.standby.engineId ?? null,
      broadcast: this.broadcast?.snapshot() ?? null,
    };
  }

  openEngine(leased: LeasedEngine, inUse: boolean): EngineSession {
    this.noneFree = false;
    return this.engines.open(leased, inUse);
  }

  onNoneFree(): boolean {
    this.noneFree = true;
    return this.others.freeEngine();
  }

  sharersOf(address: EngineAddress): EngineSharer[] {
    return this.others.sharersOf(address, this);
  }

  identify(infohash: string): boolean {
    this.existing = this.others.claim(this, infohash);
    if (this.existing === null) this.names.infohash = infohash;
    return this.existing === null;
  }

  onSourceLost(): void {
    if (this.isOpen && this.state !== 'failing_over') this.become('failing_over');
  }

  onSourceReady(engine: EngineSession): void {
    this.engines.use(engine);
    if (this.state === 'failing_over') this.become(this.isWatched ? 'playing' : 'lingering');
    else this.changed();
  }

  onNoSource(reason: string): void {
    void this.stop('source-lost', reason);
  }

  private get ageMs(): number {
    return this.context.clock.now() - this.createdAt;
  }

  private async runStart(): Promise<void> {
    try {
      const started = await new SessionStart(this, this.context, this.log, this.abort.signal).run();
      if (!this.isOpen) return;
      if (started !== 'merged') this.play(started);
      else if (this.existing !== null) this.mergeInto(this.existing);
    } catch (error) {
      if (this.isOpen) this.failStart(asError(error));
    }
  }

  private play({ source, broadcast, firstByteMs }: StartedStream): void {
    this.broadcast = broadcast;
    this.context.budget.add(this, broadcast);
    this.engines.use(source.engine);
    this.failover = new FailoverController(this, broadcast, source, this.context, this.log, this.abort.signal);
    this.become(this.isWatched ? 'playing' : 'lingering');
    const startMs = this.ageMs;
    this.log.info('stream playing', {
      engine_id: source.engine.engineId,
      infohash: this.names.infohash,
      start_ms: Math.round(startMs),
      first_byte_ms: Math.round(firstByteMs),
    });
    this.context.emit({ type: 'playing', startMs, firstByteMs });
    this.settle();
    this.failover.watch();
    void this.describe(source.engine);
  }

  /** Learns the title, and the infohash if the reply to the start had none: that is needed at once to find streams of the same content. */
  private async describe(engine: EngineSession): Promise<void> {
    if (this.names.infohash !== null) await pause(this.context.clock, LOOKUP_DELAY_MS, this.abort.signal);
    const description = this.isOpen ? await engine.describe(this.content) : null;
    if (description === null || !this.isOpen) return;
    this.names.title = description.title;
    if (this.names.infohash === null && description.infohash !== null) this.identify(description.infohash);
    this.changed();
  }

  private failStart(error: Error): void {
    this.startError = error;
    const noEngine = error instanceof NoEngineError;
    this.log.warn(noEngine ? NO_ENGINE_TEXT : 'stream start failed', {
      code: (error as { code?: string }).code,
      error: noEngine ? error.reason : error.message,
    });
    this.context.emit({ type: 'start_failed', error, startMs: this.ageMs });
    void this.stop('start-failed', noEngine ? error.message : `start failed: ${error.message}`);
  }

  private async close(cause: EndCause, reason: string): Promise<void> {
    const { clock, emit } = this.context;
    this.become('stopping');
    this.stoppedAt = clock.now();
    const end: SessionEnd = { cause, reason, at: clock.iso() };
    this.log.info('stream stopping', { cause, reason });
    this.stopLingering();
    emit({ type: 'closing', streamId: this.id, content: this.content, end, startError: this.startError });
    if (!this.failover) this.startError ??= endError(cause, reason, this.content.selector);
    this.failover?.stop();
    this.broadcast?.end();
    this.context.budget.forgetDrained();
    this.abort.abort(new StreamEndedError(reason));
    this.settle();
    await this.starting;
    await this.failover?.idle();
    await this.engines.close();
    this.become('ended');
    this.log.info('stream ended', { cause, reason });
    emit({ type: 'ended', streamId: this.id, end: { ...end, at: clock.iso() }, bytesIn: this.broadcast?.snapshot().bytesIn ?? 0 });
    this.changed();
  }

  private become(state: SessionState): void {
    this.currentState = transition(this.state, state);
    this.changed();
  }

  private changed(): void {
    this.context.emit({ type: 'changed' });
  }

  /** A session without viewers lingers, unless it waits for an engine itself or another session needs its engine. */
  private lingerOrStop(): void {
    const forbidden = this.engines.anyUnreleased ? this.others.lingeringForbidden() : 'the last viewer left before there was an engine';
    if (forbidden !== null) return void this.stop('viewers-left', forbidden);
    this.failover?.standby.release('returned');
    this.stopLingering();
    this.unwatchedSince = this.context.clock.now();
    this.linger.set(this.context.settings.lingerMs);
  }

  private stopLingering(): void {
    this.linger.clear();
    this.unwatchedSince = null;
  }
}
