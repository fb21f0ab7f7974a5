import type {
  LeaveOrder,
  ProxyReport,
  ReportAnswer,
  ReportedSession,
  StreamEndedEvent,
  StreamStartedEvent,
  StreamState,
} from '@acexy/contracts';
import type { EngineAddress } from '@acexy/engine-client';
import { Log } from '@acexy/service-kit';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../clock.js';
import { StreamHistory } from '../database/stream-history.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import { isoTime } from '../engines/engine-state.js';
import { LeaseService } from '../engines/lease.service.js';
import type { StreamViews } from '../engines/stream-views.js';
import { findEngine } from './engine-finder.js';
import { ProxyLedger } from './proxy-ledger.js';
import { Quarantine } from './quarantine.service.js';
import { StreamBook, type Stream, type StreamChange } from './stream-book.js';
import { StreamMetrics } from './stream-metrics.js';
import { fromEvent, fromReport, fromRow, toRow, toStreamState } from './stream-shapes.js';

/** How many streams of the past are read at start. */
const HISTORY_READ = 1000;
/** After our start no engine that we found is leased before every proxy had time to report: they do so every 2 s. */
const FIRST_REPORTS_MS = 2500;
/** As long as one that had streams before our start has not, this is how long we wait for it. */
const LAST_REPORTS_MS = 5000;
const SILENCE_CHECK_MS = 500;
/** A check so long after the one before says that this process did not run meanwhile. */
const LATE_MS = 4 * SILENCE_CHECK_MS;
const HOLD_OWNER = 'first reports';

export interface StreamFilter {
  status?: 'started' | 'ended';
  containerId?: string;
}

/** Who is watching what: events and reports in, one list out. Memory answers; the database is written behind. */
@Injectable()
export class StreamService implements OnModuleInit, OnModuleDestroy, StreamViews {
  private readonly book = new StreamBook();
  private readonly ledger = new ProxyLedger();
  /** Sessions that have an engine but no playback yet: they use it, and are no streams. */
  private readonly prospects = new Set<string>();
  private readonly metrics: StreamMetrics;
  private readonly log: Log;
  private readonly held = new Set<string>();
  private unsubscribe: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private startedAt = 0;
  private lastLook = 0;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly leases: LeaseService,
    private readonly history: StreamHistory,
    private readonly quarantine: Quarantine,
    private readonly sync: EngineSync,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('streams');
    this.metrics = new StreamMetrics(() => this.book.activeCount);
  }

  async onModuleInit(): Promise<void> {
    const now = this.clock.monotonic();
    this.book.restore((await this.history.loadRecent(HISTORY_READ)).reverse().map(fromRow));
    this.book.restore((await this.history.loadOpen()).map(fromRow));
    for (const { id, proxyId } of this.book.active()) if (proxyId !== null) this.ledger.expect(proxyId, id, now);
    this.startedAt = this.lastLook = now;
    this.unsubscribe = this.registry.onChange(({ type, engine }) => {
      if (type === 'added') this.engineFound(engine.id, engine.adopted);
      else if (type === 'gone') this.engineGone(engine.id);
    });
    this.timer = setInterval(() => this.checkSilence(), SILENCE_CHECK_MS);
    if (this.book.activeCount > 0) this.log.info('streams of the last run', { streams: this.book.activeCount });
    void this.sync.firstSync.then(() => this.endWhereEnginesAreGone());
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
    clearInterval(this.timer);
  }

  get activeCount(): number {
    return this.book.activeCount;
  }

  list({ status, containerId }: StreamFilter): StreamState[] {
    return this.book
      .all()
      .filter((stream) => status === undefined || (stream.endedAt === null) === (status === 'started'))
      .filter((stream) => containerId === undefined || stream.containerId === containerId)
      .map(toStreamState);
  }

  playingOn(engineId: string): StreamState[] {
    return this.list({ status: 'started', containerId: engineId });
  }

  /** An event of a foreign proxy; the same one twice is one stream. */
  started(event: StreamStartedEvent): StreamState {
    const { engine, address } = this.locate(event.container_id, event.engine);
    const stream = fromEvent(event, engine ?? event.container_id ?? '', address, this.clock.now());
    const known = this.book.get(stream.id);
    // A start that comes late, after its end: nobody would ever end it again. A new session of the stream has an id of its own.
    if (known?.endedAt != null && known.playbackSessionId === stream.playbackSessionId) return toStreamState(known);
    // The engine's place may have been known better before: the same event again must not forget it.
    this.apply(this.book.put(stream));
    return toStreamState(this.book.get(stream.id) ?? stream);
  }

  /** Which stream an end means: its id, else the newest that plays on the container. */
  ended({ stream_id: streamId, container_id: containerId, reason }: StreamEndedEvent): { updated: boolean; stream: StreamState | null } {
    // A client may write an empty text for what it does not know.
    const id = streamId || (containerId ? this.playingOn(containerId)[0]?.id : undefined);
    if (!id) return { updated: false, stream: null };
    const change = this.book.end(id, reason ?? 'ended by event', this.clock.now());
    this.apply(change);
    const stream = this.book.get(id);
    return { updated: change !== null, stream: stream ? toStreamState(stream) : null };
  }

  /** The whole list of what a proxy plays. */
  report(proxyId: string, report: ProxyReport): ReportAnswer {
    const heard = this.ledger.hear(proxyId, report, this.clock.monotonic());
    switch (heard.kind) {
      case 'stale':
        break;
      case 'taken':
        if (heard.rebooted) this.leases.releaseOf(proxyId);
        this.quarantine.liftOf(proxyId);
        this.endAll(report.ended, heard.dropped, heard.rebooted);
        // Leases first: a stream that has one then counts once.
        this.leases.reported(proxyId, new Set(report.sessions.flatMap((session) => session.lease_id ?? [])));
        for (const session of report.sessions) this.takeSession(session, proxyId);
        this.releaseHolds();
        break;
      default:
        throw new TypeError(`unknown outcome ${String(heard satisfies never)}`);
    }
    return { boot_id: report.boot_id, ack_seq: heard.seq, leave: this.leaveOrders(report.sessions) };
  }

  private endAll(ended: ProxyReport['ended'], dropped: readonly string[], rebooted: boolean): void {
    const now = this.clock.now();
    for (const { stream_id: id, reason, ended_at: at } of ended) {
      this.forgetProspect(id);
      this.apply(this.book.end(id, reason, Math.min(now, Date.parse(at))));
    }
    for (const id of dropped) {
      this.forgetProspect(id);
      this.apply(this.book.end(id, rebooted ? 'its proxy was started anew' : 'no longer reported', now));
    }
  }

  private takeSession(session: ReportedSession, proxyId: string): void {
    const { engine, address } = this.locate(session.container_id, session);
    const stream = fromReport(session, proxyId, engine ?? session.container_id ?? '', address, this.clock.now());
    if (session.playback_session_id !== '' || this.book.get(stream.id)?.endedAt === null) {
      this.prospects.delete(stream.id);
      this.apply(this.book.put(stream));
      return;
    }
    if (engine === null) return this.forgetProspect(stream.id);
    this.prospects.add(stream.id);
    this.use(stream);
  }

  private forgetProspect(streamId: string): void {
    if (this.prospects.delete(streamId)) this.leases.vacate(streamId);
  }

  /** Engines the proxy is on and should leave. */
  private leaveOrders(sessions: readonly ReportedSession[]): LeaveOrder[] {
    const orders = new Map<string, LeaveOrder>();
    for (const session of sessions) {
      const { engine: id } = this.locate(session.container_id, session);
      const drain = id === null ? null : (this.registry.get(id)?.drain ?? null);
      if (id !== null && drain) orders.set(id, { container_id: id, reason: drain.reason, deadline: isoTime(drain.deadline) });
    }
    return [...orders.values()];
  }

  private locate(containerId: string | null | undefined, address: EngineAddress): { engine: string | null; address: EngineAddress } {
    const engine = findEngine(this.registry.all(), { containerId, host: address.host, port: address.port });
    return engine
      ? { engine: engine.id, address: { host: engine.instance.host, port: engine.instance.port } }
      : { engine: null, address: { host: address.host || 'unknown', port: address.port } };
  }

  private apply(change: StreamChange | null): void {
    if (!change) return;
    const { type, stream } = change;
    switch (type) {
      case 'started':
        this.metrics.started();
        this.use(stream);
        break;
      case 'moved':
      case 'updated':
        this.use(stream);
        break;
      case 'ended':
        this.metrics.ended();
        this.leases.vacate(stream.id);
        break;
      default:
        throw new TypeError(`unknown change ${String(type satisfies never)}`);
    }
    const level = type === 'updated' ? 'debug' : 'info';
    this.log[level](`stream ${type}`, {
      stream_id: stream.id,
      engine_id: stream.containerId,
      proxy_id: stream.proxyId ?? undefined,
      reason: stream.endReason ?? undefined,
    });
    this.history
      .save(toRow(stream))
      .catch((error: unknown) => this.log.error('a stream could not be saved', { stream_id: stream.id, error }));
  }

  private use({ id, containerId, keyType, key, infohash, leaseId }: Stream): void {
    if (!this.registry.get(containerId)) return this.leases.vacate(id);
    this.leases.occupy({ streamId: id, engineId: containerId, content: { keyType, key, infohash }, leaseId });
  }

  private engineFound(engineId: string, adopted: boolean): void {
    for (const stream of this.book.active()) if (stream.containerId === engineId) this.use(stream);
    if (!adopted || this.hadTimeToReport()) return;
    this.held.add(engineId);
    this.leases.hold(engineId, HOLD_OWNER, { kind: 'brief', reason: 'its proxy has not reported since our start' });
  }

  /** Streams of a proxy that reports are not ended here: it moves them to another engine and says so. */
  private engineGone(engineId: string): void {
    for (const stream of this.book.active()) if (stream.containerId === engineId && stream.proxyId === null) this.endWithEngine(stream);
  }

  /** Engines that went while we were away took the streams with them that nobody reports. */
  private endWhereEnginesAreGone(): void {
    for (const stream of this.book.active())
      if (stream.proxyId === null && !this.registry.get(stream.containerId)) this.endWithEngine(stream);
  }

  private endWithEngine(stream: Stream): void {
    this.apply(this.book.end(stream.id, 'its engine is gone', this.clock.now()));
  }

  private checkSilence(): void {
    const now = this.clock.monotonic();
    const late = now - this.lastLook > LATE_MS;
    this.lastLook = now;
    // Where we were stopped ourselves, what was said meanwhile is still to be read: first listen, then judge.
    if (!late) this.endSilent(now);
    this.releaseHolds();
  }

  private endSilent(now: number): void {
    for (const { proxyId, sessions } of this.ledger.fallenSilent(now)) {
      if (sessions.length > 0) this.log.warn('proxy fell silent', { proxy_id: proxyId, streams: sessions.length });
      for (const id of sessions) {
        const stream = this.book.get(id);
        if (stream?.endedAt === null) this.quarantine.add(stream);
        this.forgetProspect(id);
        this.apply(this.book.end(id, 'its proxy fell silent', this.clock.now()));
      }
      this.leases.releaseOf(proxyId);
    }
  }

  private hadTimeToReport(): boolean {
    const sinceStart = this.clock.monotonic() - this.startedAt;
    return sinceStart >= (this.ledger.awaitsAny ? LAST_REPORTS_MS : FIRST_REPORTS_MS);
  }

  private releaseHolds(): void {
    if (this.held.size === 0 || !this.hadTimeToReport()) return;
    for (const engineId of this.held) this.leases.lift(engineId, HOLD_OWNER);
    this.held.clear();
  }
}
