import type { LeaveOrder, ProxyReport, ReportAnswer, ReportedSession } from '@acexy/contracts';
import { counterOf, Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Engine } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { isoTime } from '../engines/engine-state.js';
import { EngineClaimBook } from '../leases/engine-claims.js';
import { LeaseService } from '../leases/lease.service.js';
import { locateEngine } from './engine-finder.js';
import { ProxyLedger } from './proxy-ledger.js';
import { Quarantine } from './quarantine.service.js';
import { fromReport } from './stream-shapes.js';
import { StreamService } from './stream.service.js';

/** No adopted engine is leased for this long after the start, so that every proxy can report first: they report every 2 s. */
const FIRST_REPORTS_MS = 2500;
/** The same while a proxy that had streams before the start has not reported yet. */
const LAST_REPORTS_MS = 5000;
const SILENCE_CHECK_MS = 500;
/** A check this long after the previous one means that this process did not run in between. */
const LATE_MS = 4 * SILENCE_CHECK_MS;
const CORDON_OWNER = 'first reports';
const STOPPED_REPORTING = 'its proxy stopped reporting';

/** Takes reports of proxies: which sessions each one has, which leases it still uses, and whether it has fallen silent. */
@Injectable()
export class ProxyReports implements OnModuleInit, OnModuleDestroy {
  private readonly ledger = new ProxyLedger();
  /** Reported sessions that have an engine but no playback yet: they claim the engine, but are not streams. */
  private readonly starting = new Set<string>();
  /** Engines that are cordoned until the first reports. */
  private readonly cordoned = new Set<string>();
  private readonly log: Log;
  private readonly conflicts = counterOf('orch_proxy_id_conflicts_total', 'Times that two proxies reported under one id');
  private unsubscribe: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private startedAt = 0;
  private lastCheck = 0;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly claims: EngineClaimBook,
    private readonly leases: LeaseService,
    private readonly streams: StreamService,
    private readonly quarantine: Quarantine,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('streams');
  }

  async onModuleInit(): Promise<void> {
    this.startedAt = this.lastCheck = this.clock.now();
    await this.streams.restored();
    for (const { id, proxyId } of this.streams.active()) if (proxyId !== null) this.ledger.expect(proxyId, id, this.startedAt);
    this.unsubscribe = this.registry.onChange(({ type, engine }) => {
      if (type === 'added' && engine.adopted) this.engineAdopted(engine);
    });
    this.timer = setInterval(() => this.checkSilence(), SILENCE_CHECK_MS);
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
    clearInterval(this.timer);
  }

  /** @param report the complete list of the proxy's sessions */
  take(proxyId: string, report: ProxyReport): ReportAnswer {
    const heard = this.ledger.hear(proxyId, report, this.clock.now());
    if (heard.kind === 'taken') {
      const { rebooted, detected } = heard;
      if (detected) this.copyDetected(proxyId);
      // A stream of a copy may have moved to the new id of that proxy.
      const dropped = heard.dropped.filter((id) => [undefined, null, proxyId].includes(this.streams.get(id)?.proxyId));
      this.leases.batch(() => {
        if (rebooted) this.leases.releaseOf(proxyId);
        this.quarantine.endOf(proxyId);
        this.endSessions(report.ended, dropped, rebooted);
        // Leases first: a stream and its lease then count once.
        this.leases.renew(proxyId, new Set(report.sessions.flatMap((session) => session.lease_id ?? [])));
        for (const session of report.sessions) this.takeSession(session, proxyId);
        this.uncordon();
      });
    }
    return {
      boot_id: report.boot_id,
      ack_seq: heard.seq,
      leave: this.leaveOrders(report.sessions),
      engines_wanted: this.leases.viewersWaiting,
      ...(heard.kind === 'copy' && { identity: 'replace' as const }),
      ...(heard.kind === 'taken' && heard.copied && { identity: 'keep' as const }),
    };
  }

  private copyDetected(proxyId: string): void {
    this.conflicts.inc();
    this.log.warn('two proxies have one id', { proxy_id: proxyId, effect: 'the one that came later takes a new id' });
  }

  private endSessions(ended: ProxyReport['ended'], dropped: readonly string[], rebooted: boolean): void {
    const now = this.clock.wallTime();
    for (const { stream_id: id, reason, ended_at: at } of ended) this.endSession(id, reason, Math.min(now, Date.parse(at)));
    for (const id of dropped) this.endSession(id, rebooted ? 'its proxy restarted' : 'no longer reported', now);
  }

  private endSession(id: string, reason: string, at?: number): void {
    this.forgetStarting(id);
    this.streams.end(id, reason, at);
  }

  private takeSession(session: ReportedSession, proxyId: string): void {
    const { engine, address } = locateEngine(this.registry.all(), session.container_id, session);
    const stream = fromReport(session, proxyId, engine ?? session.container_id ?? '', address, this.clock.wallTime());
    if (session.playback_session_id !== '' || this.streams.get(stream.id)?.endedAt === null) {
      this.starting.delete(stream.id);
      this.streams.put(stream);
    } else if (engine === null) {
      this.forgetStarting(stream.id);
    } else {
      this.starting.add(stream.id);
      this.streams.assign(stream);
    }
  }

  private forgetStarting(streamId: string): void {
    if (this.starting.delete(streamId)) this.claims.unassign(streamId);
  }

  /** The draining engines that the proxy uses. */
  private leaveOrders(sessions: readonly ReportedSession[]): LeaveOrder[] {
    const orders = new Map<string, LeaveOrder>();
    for (const session of sessions) {
      const { engine: id } = locateEngine(this.registry.all(), session.container_id, session);
      const drain = id === null ? null : (this.registry.get(id)?.drain ?? null);
      if (id !== null && drain) orders.set(id, { container_id: id, reason: drain.reason, deadline: isoTime(drain.deadline) });
    }
    return [...orders.values()];
  }

  private engineAdopted({ id }: Engine): void {
    // Streams that ended because their proxy stopped reporting in an earlier run may still have viewers.
    for (const stream of this.streams.all())
      if (stream.containerId === id && stream.endReason === STOPPED_REPORTING) this.quarantine.add(stream);
    if (this.hadTimeToReport()) return;
    this.cordoned.add(id);
    this.claims.cordon(id, CORDON_OWNER, { kind: 'brief', reason: 'its proxy has not reported since the start of the orchestrator' });
  }

  private checkSilence(): void {
    const now = this.clock.now();
    const late = now - this.lastCheck > LATE_MS;
    this.lastCheck = now;
    // If this process itself did not run, reports are still waiting to be read: they come first.
    if (!late) this.endSilent(now);
    this.uncordon();
  }

  private endSilent(now: number): void {
    for (const { proxyId, sessions } of this.ledger.fallenSilent(now)) {
      if (sessions.length > 0) this.log.warn('proxy stopped reporting', { proxy_id: proxyId, streams: sessions.length });
      for (const id of sessions) {
        const stream = this.streams.get(id);
        if (stream?.endedAt === null) this.quarantine.add(stream);
        this.endSession(id, STOPPED_REPORTING);
      }
      this.leases.releaseOf(proxyId);
    }
  }

  private hadTimeToReport(): boolean {
    return this.clock.now() - this.startedAt >= (this.ledger.awaitsAny ? LAST_REPORTS_MS : FIRST_REPORTS_MS);
  }

  private uncordon(): void {
    if (this.cordoned.size === 0 || !this.hadTimeToReport()) return;
    for (const engineId of this.cordoned) this.claims.uncordon(engineId, CORDON_OWNER);
    this.cordoned.clear();
  }
}
