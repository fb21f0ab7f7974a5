import type { LeaveOrder, ProxyReport, ReportAnswer, ReportedSession, StreamState } from '@acexy/contracts';
import { Log } from '@acexy/service-kit';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock } from '@acexy/service-kit/primitives';
import { StreamHistory } from '../database/stream-history.js';
import { type Engine, EngineRegistry } from '../engines/engine-registry.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import { isoTime } from '../engines/engine-state.js';
import { LeaseService } from '../leases/lease.service.js';
import type { StreamViews } from '../engines/stream-views.js';
import { findEngine, locateEngine } from './engine-finder.js';
import { ProxyLedger } from './proxy-ledger.js';
import { Quarantine } from './quarantine.service.js';
import { StreamBook, type Stream, type StreamChange } from './stream-book.js';
import { StreamMetrics } from './stream-metrics.js';
import { StreamSaver } from './stream-saver.js';
import { fromReport, fromRow, toStreamState } from './stream-shapes.js';

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
const ENGINE_GONE = 'its engine is gone';
const FELL_SILENT = 'its proxy fell silent';

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
  private readonly saver: StreamSaver;
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
    this.saver = new StreamSaver(history, this.log);
    this.metrics = new StreamMetrics(() => this.book.activeCount);
  }

  async onModuleInit(): Promise<void> {
    const now = this.clock.now();
    this.book.restore((await this.history.loadRecent(HISTORY_READ)).reverse().map(fromRow));
    this.book.restore((await this.history.loadOpen()).map(fromRow));
    for (const { id, proxyId } of this.book.active()) if (proxyId !== null) this.ledger.expect(proxyId, id, now);
    this.startedAt = this.lastLook = now;
    this.unsubscribe = this.registry.onChange(({ type, engine, againSince }) => {
      if (type === 'added') this.engineFound(engine.id, engine.adopted);
      else if (type === 'gone') this.engineGone(engine.id, againSince);
    });
    this.timer = setInterval(() => this.checkSilence(), SILENCE_CHECK_MS);
    if (this.book.activeCount > 0) this.log.info('streams of the last run', { streams: this.book.activeCount });
    const since = this.clock.wallTime();
    void this.sync.firstSync.then(() => this.matchWithEngines(since));
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
    clearInterval(this.timer);
  }

  get activeCount(): number {
    return this.book.activeCount;
  }

  /** Those that are remembered. */
  get totalCount(): number {
    return this.book.size;
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

  get(id: string): Stream | undefined {
    return this.book.get(id);
  }

  /** Those that play. */
  active(): Stream[] {
    return this.book.active();
  }

  /** @returns it as it is known now */
  put(stream: Stream): Stream {
    this.apply(this.book.put(stream));
    return this.book.get(stream.id) ?? stream;
  }

  /** @returns false for a stream that is not playing */
  end(id: string, reason: string): boolean {
    const change = this.book.end(id, reason, this.clock.wallTime());
    this.apply(change);
    return change !== null;
  }

  /**
   * Resolves when what is known of a stream now would survive a kill of this process.
   * @throws what the database says; to ask again is another try
   */
  durable(stream: Stream): Promise<void> {
    return this.saver.durable(stream);
  }

  /** @throws what the database says */
  saveWhereStale(): Promise<void> {
    return this.saver.saveWhereStale((id) => this.book.get(id), this.clock.wallTime());
  }

  /** Ends streams told by events of engines that we do not know: where their end was lost, nobody else would ever say it. */
  endUnverifiable(startedBefore: number): void {
    for (const { id, proxyId, containerId, startedAt } of this.book.active())
      if (proxyId === null && startedAt < startedBefore && !this.registry.get(containerId))
        this.end(id, 'nothing was heard of it for a day, and its engine is not known');
  }

  /** Forgets ended streams in memory, those that ended before `before` (milliseconds since the epoch). */
  forgetEnded(before: number): void {
    this.book.forgetEnded(before);
  }

  /** The whole list of what a proxy plays. */
  report(proxyId: string, report: ProxyReport): ReportAnswer {
    const heard = this.ledger.hear(proxyId, report, this.clock.now());
    switch (heard.kind) {
      case 'stale':
        break;
      case 'taken':
        this.leases.oneStep(() => {
          if (heard.rebooted) this.leases.releaseOf(proxyId);
          this.quarantine.liftOf(proxyId);
          this.endAll(report.ended, heard.dropped, heard.rebooted);
          // Leases first: a stream that has one then counts once.
          this.leases.reported(proxyId, new Set(report.sessions.flatMap((session) => session.lease_id ?? [])));
          for (const session of report.sessions) this.takeSession(session, proxyId);
          this.releaseHolds();
        });
        break;
      default:
        throw new TypeError(`unknown outcome ${String(heard satisfies never)}`);
    }
    return { boot_id: report.boot_id, ack_seq: heard.seq, leave: this.leaveOrders(report.sessions) };
  }

  private endAll(ended: ProxyReport['ended'], dropped: readonly string[], rebooted: boolean): void {
    const now = this.clock.wallTime();
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
    const { engine, address } = locateEngine(this.registry.all(), session.container_id, session);
    const stream = fromReport(session, proxyId, engine ?? session.container_id ?? '', address, this.clock.wallTime());
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
      const { engine: id } = locateEngine(this.registry.all(), session.container_id, session);
      const drain = id === null ? null : (this.registry.get(id)?.drain ?? null);
      if (id !== null && drain) orders.set(id, { container_id: id, reason: drain.reason, deadline: isoTime(drain.deadline) });
    }
    return [...orders.values()];
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
    this.saver.save(stream);
  }

  private use({ id, containerId, keyType, key, infohash, leaseId }: Stream): void {
    if (!this.registry.get(containerId)) return this.leases.vacate(id);
    this.leases.occupy({ streamId: id, engineId: containerId, content: { keyType, key, infohash }, leaseId });
  }

  private engineFound(engineId: string, adopted: boolean): void {
    for (const stream of this.book.all()) {
      if (stream.containerId !== engineId) continue;
      if (stream.endedAt === null) this.use(stream);
      // Of an earlier run of ours, too: nobody has said since then that its viewers are gone.
      else if (adopted && stream.endReason === FELL_SILENT) this.quarantine.add(stream);
    }
    if (!adopted || this.hadTimeToReport()) return;
    this.held.add(engineId);
    this.leases.hold(engineId, HOLD_OWNER, { kind: 'brief', reason: 'its proxy has not reported since our start' });
  }

  /**
   * Streams of a proxy that reports are not ended here: it moves them to another engine and says so. One that may have begun on the engine as it
   * runs again is left to it, too.
   */
  private engineGone(engineId: string, againSince = Infinity): void {
    for (const { id, containerId, proxyId, startedAt } of this.book.active())
      if (containerId === engineId && proxyId === null && startedAt < againSince) this.end(id, ENGINE_GONE);
  }

  /** Engines that went while we were away took the streams with them that nobody reports; of what was told since, the engine is known now. */
  private matchWithEngines(toldSince: number): void {
    for (const stream of this.book.active()) {
      if (stream.proxyId !== null || this.registry.get(stream.containerId)) continue;
      const engine = stream.startedAt < toldSince ? null : this.engineAt(stream.statUrl);
      if (engine) this.put({ ...stream, containerId: engine.id });
      else this.end(stream.id, ENGINE_GONE);
    }
  }

  private engineAt(url: string): Engine | null {
    if (!URL.canParse(url)) return null;
    const { hostname: host, port } = new URL(url);
    return findEngine(this.registry.all(), { host, port: Number(port) });
  }

  private checkSilence(): void {
    const now = this.clock.now();
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
        this.end(id, FELL_SILENT);
      }
      this.leases.releaseOf(proxyId);
    }
  }

  private hadTimeToReport(): boolean {
    const sinceStart = this.clock.now() - this.startedAt;
    return sinceStart >= (this.ledger.awaitsAny ? LAST_REPORTS_MS : FIRST_REPORTS_MS);
  }

  private releaseHolds(): void {
    if (this.held.size === 0 || !this.hadTimeToReport()) return;
    for (const engineId of this.held) this.leases.lift(engineId, HOLD_OWNER);
    this.held.clear();
  }
}
