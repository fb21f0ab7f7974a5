/** All sessions of this proxy: one for each content, whichever of its names a viewer requests. */
import type { LeaveOrder } from '@acexy/contracts';
import type { EngineAddress } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import { BoundedMap, ListenerSet } from '@acexy/service-kit/primitives';
import { type RequestedContent, contentKey, requestKey } from '../http/content-key.js';
import type { BufferBudget } from './budget/buffer-budget.js';
import { exceptionReporter } from './exceptions.js';
import { ShuttingDownError, TooManyViewersError } from './errors.js';
import type { EngineSharer, OtherSessions, SessionContext, ViewerLimits } from './session-context.js';
import { SessionDirectory } from './session-directory.js';
import type { SessionEvent, ViewerLimit } from './session-events.js';
import type { SessionSnapshot } from './session-snapshot.js';
import { StreamSession } from './stream-session.js';
import { ViewerSubscription } from './viewer-subscription.js';

/** Content ids whose infohash is remembered. */
const MAX_KNOWN_IDS = 10_000;

export class SessionRegistry extends SessionDirectory implements OtherSessions<StreamSession> {
  /** Viewers of the other workers of this proxy. */
  viewersElsewhere = 0;
  readonly events = new ListenerSet<SessionEvent>((error) => this.onListenerException(error));
  readonly budget: BufferBudget;
  private readonly context: SessionContext;
  private readonly log: Log;
  /** The sessions that viewers may join, under each of their content keys. */
  private readonly open = new Map<string, StreamSession>();
  /** By stream id: those, and the sessions that are stopping. */
  private readonly all = new Map<string, StreamSession>();
  /** By content id, as engines answered. The infohash of a content id never changes. */
  private readonly infohashes = new BoundedMap<string, string>(MAX_KNOWN_IDS);
  private closed = false;
  private isReporting = false;
  private onNoViewers: (() => void) | null = null;

  constructor(context: Omit<SessionContext, 'emit'>) {
    super();
    this.context = { ...context, emit: (event) => this.emit(event) };
    this.budget = context.budget;
    this.log = context.log.child('sessions');
  }

  get rejecting(): string | null {
    return this.closed ? 'shutting down' : null;
  }

  /**
   * Adds a viewer to the session of the content, and starts the session when there is none.
   * @throws ShuttingDownError | TooManyViewersError | MemoryFullError
   */
  subscribe(content: RequestedContent): ViewerSubscription {
    if (this.closed) throw new ShuttingDownError();
    const existing = this.find(content);
    this.checkViewerLimits(existing);
    if (existing) return new ViewerSubscription(existing);
    this.checkMemory();
    const session = new StreamSession(content, this.context, this);
    this.all.set(session.id, session);
    this.open.set(requestKey(content), session);
    const infohash = this.knownInfohash(content);
    if (infohash !== null) {
      session.names.infohash = infohash;
      this.open.set(contentKey('infohash', infohash, content.variant), session);
    }
    const subscription = new ViewerSubscription(session);
    session.start();
    return subscription;
  }

  /** The session that plays or starts the content. */
  find(content: RequestedContent): StreamSession | null {
    const infohash = this.knownInfohash(content);
    const byInfohash = infohash === null ? undefined : this.open.get(contentKey('infohash', infohash, content.variant));
    return this.open.get(requestKey(content)) ?? byInfohash ?? null;
  }

  /** The session of a content in any variant; the one without variant parameters first. */
  findAnyVariant(selector: RequestedContent['selector']): StreamSession | null {
    const content = { selector, variant: {}, hints: {} };
    const plain = this.find(content);
    if (plain) return plain;
    const infohash = this.knownInfohash(content);
    const prefixes = [`${requestKey(content)}&`, ...(infohash === null ? [] : [`infohash:${infohash}&`])];
    for (const [key, session] of this.open) if (prefixes.some((prefix) => key.startsWith(prefix))) return session;
    return null;
  }

  snapshots(): SessionSnapshot[] {
    return this.sessions().map((session) => session.snapshot());
  }

  /** Every session that has not ended, including those that are stopping. */
  sessions(): StreamSession[] {
    return [...this.all.values()];
  }

  /** From now on; current viewers stay. */
  rejectViewers(): void {
    this.closed = true;
  }

  /** Accepts no more viewers. Resolves when the last viewer has left, at most after `limitMs`. */
  async drain(limitMs: number): Promise<void> {
    this.rejectViewers();
    for (const session of this.all.values())
      if (session.unwatchedSince !== null) void session.stop('viewers-left', 'no viewers, and the proxy is shutting down');
    if (this.viewers === 0 || limitMs <= 0) return;
    this.log.info('waiting for viewers to leave', { viewers: this.viewers, limit_ms: limitMs });
    await new Promise<void>((resolve) => {
      const limit = this.context.clock.setTimeout(resolve, limitMs);
      this.onNoViewers = () => {
        this.context.clock.clearTimeout(limit);
        resolve();
      };
    });
    this.onNoViewers = null;
    this.log.info('ending all streams', { viewers: this.viewers });
  }

  /** Accepts no more viewers, ends those that are left cleanly and stops every engine session. Waits at most `limitMs` for engines that have not answered. */
  async shutdown(limitMs: number): Promise<void> {
    this.rejectViewers();
    const stopped = Promise.all(this.sessions().map((session) => session.stop('shutdown', 'the proxy is shutting down')));
    const limit = this.context.clock.setTimeout(() => {
      this.log.warn('stopping engines timed out', { streams: this.all.size });
      for (const session of this.all.values()) session.engines.abandon();
    }, limitMs);
    await stopped;
    this.context.clock.clearTimeout(limit);
  }

  /** Moves the streams of the engine to other engines. */
  leaveEngine(order: LeaveOrder): void {
    for (const session of this.all.values()) session.leaveEngine(order);
  }

  /** Another worker plays the content: its viewers go there, unless they already get it here. */
  moveAway(streamId: string): void {
    const session = this.all.get(streamId);
    if (session?.isOpen && session.broadcast === null) void session.stop('moved', 'another worker plays the content');
  }

  claim(session: StreamSession, infohash: string): StreamSession | null {
    const { selector, variant } = session.content;
    if (selector.type === 'content_id') this.infohashes.set(selector.value, infohash);
    const key = contentKey('infohash', infohash, variant);
    const holder = this.open.get(key);
    if (holder && holder !== session) {
      if (holder.progress >= session.progress) return holder;
      holder.mergeInto(session);
    }
    this.open.set(key, session);
    // A worker tells the front at once: another worker may be about to play the same content.
    this.emit({ type: 'changed' });
    return null;
  }

  sharersOf(address: EngineAddress, session: StreamSession): EngineSharer[] {
    const sessions = this.sessions();
    const own = sessions.indexOf(session);
    return sessions.flatMap((other, index) => {
      const engine = index === own ? null : other.engines.at(address);
      return engine === null ? [] : [{ session: other, engine, isOlder: index < own }];
    });
  }

  /** Ends the session that has lingered longest, else releases a standby engine. Returns true when an engine becomes free. */
  freeEngine(): boolean {
    const holding = this.sessions().filter(({ engines }) => engines.anyUnreleased);
    if (this.endLingering(1) > 0 || holding.some(({ isReleasingEngine }) => isReleasingEngine)) return true;
    return holding.some((session) => session.releaseStandby());
  }

  /** Ends up to `count` sessions without viewers, those that have lingered longest first. @returns the number ended */
  endLingering(count: number): number {
    const lingering = this.sessions().filter(({ unwatchedSince, engines }) => unwatchedSince !== null && engines.anyUnreleased);
    lingering.sort((a, b) => (a.unwatchedSince ?? 0) - (b.unwatchedSince ?? 0));
    const ended = lingering.slice(0, count);
    for (const session of ended) void session.stop('viewers-left', 'no viewers, and another stream needs the engine');
    return ended.length;
  }

  lingeringForbidden(): string | null {
    if (this.closed) return 'the last viewer left, and the proxy is shutting down';
    return this.sessions().some(({ needsEngine }) => needsEngine) ? 'no viewers, and another stream needs the engine' : null;
  }

  private emit(event: SessionEvent): void {
    if (event.type === 'closing') {
      for (const [key, { id }] of this.open) if (id === event.streamId) this.open.delete(key);
    } else if (event.type === 'ended') this.all.delete(event.streamId);
    else if (event.type === 'changed' && this.viewers === 0) this.onNoViewers?.();
    this.events.emit(event);
  }

  /** A listener that throws for the report as well is only logged. */
  private onListenerException(error: unknown): void {
    const emit = this.isReporting ? () => undefined : this.context.emit;
    this.isReporting = true;
    exceptionReporter(this.log, emit)('none', error);
    this.isReporting = false;
  }

  /** Including viewers that wait for a start. */
  private get viewers(): number {
    return this.sessions().reduce((sum, { viewerCount }) => sum + viewerCount, 0);
  }

  private checkViewerLimits(existing: StreamSession | null): void {
    const { settings } = this.context;
    const limit = reachedLimit(settings, { all: this.viewers + this.viewersElsewhere, stream: existing?.viewerCount ?? 0 });
    if (limit === null) return;
    this.emit({ type: 'viewer_rejected', limit });
    throw new TooManyViewersError(limit, limit === 'all' ? settings.maxViewers : settings.maxViewersPerStream);
  }

  /** Streams without viewers give way to a new one. */
  private checkMemory(): void {
    const starting = (): number => this.sessions().filter(({ broadcast, isOpen }) => isOpen && broadcast === null).length;
    while (!this.budget.fits(starting())) {
      if (this.endLingering(1) > 0) continue;
      this.emit({ type: 'viewer_rejected', limit: 'memory' });
      throw this.budget.full('another stream');
    }
  }

  private knownInfohash({ selector }: RequestedContent): string | null {
    return selector.type === 'infohash' ? selector.value : (this.infohashes.get(selector.value) ?? null);
  }
}

/** The limit that allows no further viewer; null when none is reached. */
export function reachedLimit(limits: ViewerLimits, viewers: Readonly<Record<ViewerLimit, number>>): ViewerLimit | null {
  const isReached = (count: number, limit: number): boolean => limit > 0 && count >= limit;
  if (isReached(viewers.stream, limits.maxViewersPerStream)) return 'stream';
  return isReached(viewers.all, limits.maxViewers) ? 'all' : null;
}
