/** All streams of this proxy: one session per content, whatever name it is asked for by. */
import type { LeaveOrder } from '@acexy/contracts';
import type { EngineAddress } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import { ViewerSubscription } from './viewer-subscription.js';
import { type RequestedContent, requestKey, contentKey } from './content-key.js';
import type { StopOutcome } from './engine-session.js';
import { ShuttingDownError, TooManyViewersError } from './errors.js';
import type { HedgeOutcome } from './start/hedge.policy.js';
import type { StartTimes } from './start/session-start.js';
import type { SessionSnapshot } from './session-snapshot.js';
import type { StandbyOutcome } from './failover/standby-engine.js';
import type { SessionContext, SessionOwner } from './session-owner.js';
import { StreamSession } from './stream-session.js';
import type { Failover } from './failover/failover-target.js';
import { type FullScope, whatIsFull } from './viewer-limits.policy.js';

/** What others may want to know; every method is called at the moment it happens. */
export interface SessionListener {
  /** Something that a report would say has changed. */
  sessionChanged?(): void;
  sessionPlaying?(session: StreamSession, times: StartTimes): void;
  startFailed?(session: StreamSession, error: Error, startMs: number): void;
  /** No more viewers may come to it; `ending` tells why. */
  sessionClosing?(session: StreamSession): void;
  sessionEnded?(session: StreamSession): void;
  failedOver?(session: StreamSession, failover: Failover): void;
  /** What became of an engine that was to be held in reserve. */
  reserveEnded?(outcome: StandbyOutcome): void;
  /** What became of a second engine beside one that was slow to begin. */
  hedged?(outcome: HedgeOutcome): void;
  engineClosed?(outcome: StopOutcome): void;
  /** `full`: what has as many viewers as it may have. */
  viewerRefused?(full: FullScope): void;
}

/** Content ids whose infohash is remembered. */
const MAX_KNOWN_IDS = 10_000;

export class SessionRegistry implements SessionOwner {
  /** The sessions that viewers may still join, under each of their names. */
  private readonly open = new Map<string, StreamSession>();
  /** Those, and what is still being stopped. */
  private readonly all = new Set<StreamSession>();
  private readonly listeners: SessionListener[] = [];
  /** What engines said about content ids, oldest first. An id names its content for ever. */
  private readonly infohashes = new Map<string, string>();
  private closed = false;
  private onEmpty: (() => void) | null = null;

  constructor(
    private readonly context: SessionContext,
    private readonly log: Log,
  ) {}

  listen(listener: SessionListener): void {
    this.listeners.push(listener);
  }

  /** No more viewers are taken. */
  get closing(): boolean {
    return this.closed;
  }

  /**
   * Takes a viewer in: into the session of the content, which is started where there is none.
   * @throws ShuttingDownError | TooManyViewersError
   */
  subscribe(content: RequestedContent): ViewerSubscription {
    if (this.closed) throw new ShuttingDownError();
    const existing = this.find(content);
    this.makeSureThereIsRoom(existing);
    if (existing) return new ViewerSubscription(existing);
    const session = new StreamSession(content, this.context, this);
    this.all.add(session);
    this.open.set(requestKey(content), session);
    const known = this.knownInfohash(content);
    if (known !== null) {
      session.wanted.infohash = known;
      this.open.set(contentKey('infohash', known, content.variant), session);
    }
    const admission = new ViewerSubscription(session);
    session.begin();
    return admission;
  }

  /** The session that plays or starts the content. */
  find(content: RequestedContent): StreamSession | null {
    const known = this.knownInfohash(content);
    const byInfohash = known === null ? undefined : this.open.get(contentKey('infohash', known, content.variant));
    return this.open.get(requestKey(content)) ?? byInfohash ?? null;
  }

  /** The session of a content by one of its names, the plain one before its variants. */
  named(selector: RequestedContent['selector']): StreamSession | null {
    const plain = this.find({ selector, variant: {}, hints: {} });
    if (plain) return plain;
    const known = this.knownInfohash({ selector, variant: {}, hints: {} });
    const keys = [`${selector.type}:${selector.value}&`, ...(known === null ? [] : [`infohash:${known}&`])];
    for (const [key, session] of this.open) if (keys.some((start) => key.startsWith(start))) return session;
    return null;
  }

  /** Every session that is not over, also those that are being stopped. */
  snapshots(): SessionSnapshot[] {
    return [...this.all].map((session) => session.snapshot());
  }

  sessions(): readonly StreamSession[] {
    return [...this.all];
  }

  /** Takes no more viewers and lets those there are watch on; resolves when the last one has left, or after `limitMs`. */
  async drain(limitMs: number): Promise<void> {
    this.closed = true;
    for (const session of this.all)
      if (session.unwatchedSince !== null) void session.stop('viewers-left', 'nobody watches, and the proxy is shutting down');
    if (this.viewers === 0 || limitMs <= 0) return;
    this.log.info('no more viewers are taken; those there are may watch on for a while', { viewers: this.viewers, limit_ms: limitMs });
    await new Promise<void>((resolve) => {
      const limit = this.context.clock.setTimeout(resolve, limitMs);
      this.onEmpty = () => {
        this.context.clock.clearTimeout(limit);
        resolve();
      };
    });
    this.onEmpty = null;
    this.log.info('shutting down now', { viewers: this.viewers });
  }

  /**
   * Takes no more viewers, ends those there are cleanly and stops every engine session. Engines that have not answered are waited for until
   * `limitMs` have gone by.
   */
  async shutdown(limitMs: number): Promise<void> {
    this.closed = true;
    const stopped = Promise.all([...this.all].map((session) => session.stop('shutdown', 'the proxy is shutting down')));
    const limit = this.context.clock.setTimeout(() => {
      this.log.warn('engines have not answered in time, leaving them', { streams: this.all.size });
      for (const session of this.all) session.abandonEngines();
    }, limitMs);
    await stopped;
    this.context.clock.clearTimeout(limit);
  }

  /** Moves the streams of an engine that is to be left to other ones. */
  leave(order: LeaveOrder): void {
    for (const session of this.all) session.leave(order);
  }

  claim(session: StreamSession, infohash: string): StreamSession | null {
    const { content } = session;
    if (content.selector.type === 'content_id') this.remember(content.selector.value, infohash);
    const key = contentKey('infohash', infohash, content.variant);
    const holder = this.open.get(key);
    if (holder && holder !== session) {
      // Whose engine has answered goes on; the other one's viewers join it.
      if (holder.answered) return holder;
      holder.mergeInto(session);
    }
    this.open.set(key, session);
    return null;
  }

  sharesEngine(session: StreamSession, address: EngineAddress): boolean {
    return [...this.all].some((other) => other !== session && other.uses(address));
  }

  /** Gives up the session that nobody has watched for the longest, else an engine that is only held in reserve; true where one comes free. */
  onScarce(): boolean {
    const holding = [...this.all].filter((session) => session.holdsEngine);
    const unwatched = holding.filter((session) => session.unwatchedSince !== null);
    unwatched.sort((a, b) => (a.unwatchedSince ?? 0) - (b.unwatchedSince ?? 0));
    const oldest = unwatched.at(0);
    if (oldest) void oldest.stop('viewers-left', 'nobody watches, and its engine is wanted');
    if (oldest !== undefined || holding.some((session) => session.isGivingBack)) return true;
    return holding.some((session) => session.giveUpReserve());
  }

  lingeringForbidden(): string | null {
    if (this.closed) return 'the last viewer left, and the proxy is shutting down';
    return [...this.all].some((session) => session.wantsEngine) ? 'nobody watches, and its engine is wanted' : null;
  }

  onChange(): void {
    if (this.onEmpty !== null && this.viewers === 0) this.onEmpty();
    for (const listener of this.listeners) listener.sessionChanged?.();
  }

  onPlaying(session: StreamSession, times: StartTimes): void {
    for (const listener of this.listeners) listener.sessionPlaying?.(session, times);
  }

  onStartFailed(session: StreamSession, error: Error, startMs: number): void {
    for (const listener of this.listeners) listener.startFailed?.(session, error, startMs);
  }

  onClosing(session: StreamSession): void {
    for (const [key, holder] of this.open) if (holder === session) this.open.delete(key);
    for (const listener of this.listeners) listener.sessionClosing?.(session);
  }

  onEnded(session: StreamSession): void {
    this.all.delete(session);
    for (const listener of this.listeners) listener.sessionEnded?.(session);
    this.onChange();
  }

  onFailover(session: StreamSession, failover: Failover): void {
    for (const listener of this.listeners) listener.failedOver?.(session, failover);
  }

  onReserve(outcome: StandbyOutcome): void {
    for (const listener of this.listeners) listener.reserveEnded?.(outcome);
  }

  onHedge(outcome: HedgeOutcome): void {
    for (const listener of this.listeners) listener.hedged?.(outcome);
  }

  onEngineClosed(outcome: StopOutcome): void {
    for (const listener of this.listeners) listener.engineClosed?.(outcome);
  }

  /** Those that wait for a start among them. */
  private get viewers(): number {
    return [...this.all].reduce((sum, { viewerCount }) => sum + viewerCount, 0);
  }

  private makeSureThereIsRoom(existing: StreamSession | null): void {
    const { viewerLimits: limits } = this.context;
    const full = whatIsFull(limits, { all: this.viewers, stream: existing?.viewerCount ?? 0 });
    if (full === null) return;
    for (const listener of this.listeners) listener.viewerRefused?.(full);
    throw new TooManyViewersError(full, full === 'all' ? limits.maxViewers : limits.maxViewersPerStream);
  }

  private knownInfohash({ selector }: RequestedContent): string | null {
    return selector.type === 'infohash' ? selector.value : (this.infohashes.get(selector.value) ?? null);
  }

  private remember(contentId: string, infohash: string): void {
    this.infohashes.delete(contentId);
    this.infohashes.set(contentId, infohash);
    if (this.infohashes.size <= MAX_KNOWN_IDS) return;
    const [oldest] = this.infohashes.keys();
    this.infohashes.delete(oldest);
  }
}
