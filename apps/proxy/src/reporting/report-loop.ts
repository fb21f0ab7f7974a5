/**
 * Reports to our orchestrator: the complete list of sessions on every change and at least every 2 s, so that a lost message or a restart on either side
 * costs one round. Ended sessions are listed until they are acknowledged.
 */
import type { EndedSession, LeaveOrder, ProxyReport, ReportAnswer } from '@acexy/contracts';
import { PROXY_ID_VERDICTS } from '@acexy/contracts/vocabulary';
import { OrchestratorError } from '@acexy/orchestrator-client';
import { counterOf } from '@acexy/service-kit';
import type { OrchestratorContext } from '../selection/injection-tokens.js';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';
import { toReported } from './reported-session.js';

/** The orchestrator ends the streams of a proxy that is silent for 15 s. */
const EVERY_MS = 2000;
/** Changes within this time become one report. */
const COALESCE_MS = 20;
/**
 * Least time between two reports, for each session in the first of them. Every report has all sessions: when a hundred streams start at once, a report
 * for each change would occupy both services.
 */
const PAUSE_PER_SESSION_MS = 5;
/** Maximum number in a report. The oldest are dropped: the orchestrator also ends a stream that reports no longer name. */
const MAX_ENDED = 20_000;

export interface ReportLoopOwner {
  snapshots(): SessionSnapshot[];
  onLeaveOrder(order: LeaveOrder): void;
  /** Viewers of other proxies, or of this one, wait for an engine. */
  onEnginesWanted(count: number): void;
  /** A round without a report: the orchestrator accepts none. */
  onNotTaken(): void;
}

export class ReportLoop {
  private readonly ended: (EndedSession & { since: number })[] = [];
  /** Containers of the leave orders in the last answer. */
  private ordered = new Set<string>();
  private seq = 0;
  private timer: unknown = null;
  private due = Infinity;
  /** No report is sent before this time of the clock. */
  private pauseUntil = 0;
  private sending: Promise<void> | null = null;
  private again = false;
  private stopped = false;
  private verdict: ReportAnswer['identity'];
  private readonly conflicts = counterOf('acexy_proxy_id_conflicts_total', 'Times that another proxy had the same id', {
    verdict: PROXY_ID_VERDICTS,
  });

  constructor(
    private readonly orchestrator: OrchestratorContext,
    private readonly owner: ReportLoopOwner,
  ) {}

  start(): void {
    this.schedule(0);
  }

  changed(): void {
    this.schedule(COALESCE_MS);
  }

  sessionEnded(streamId: string, reason: string, endedAt: string): void {
    this.ended.push({ stream_id: streamId, reason: reason.slice(0, 1024), ended_at: endedAt, since: this.seq + 1 });
    if (this.ended.length > MAX_ENDED) this.ended.shift();
    this.changed();
  }

  /** Sends a last report, which is not repeated. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.clear();
    await this.sending;
    if (this.orchestrator.link.kind === 'ours') await this.send();
  }

  private schedule(ms: number): void {
    if (this.stopped) return;
    if (this.sending) {
      if (ms < EVERY_MS) this.again = true;
      return;
    }
    const { clock } = this.orchestrator;
    const now = clock.now();
    const at = Math.max(now + ms, this.pauseUntil);
    if (this.timer !== null && this.due <= at) return;
    this.clear();
    this.due = at;
    this.timer = clock.setTimeout(() => this.run(), at - now);
  }

  private run(): void {
    this.timer = null;
    this.again = false;
    // A foreign orchestrator accepts no reports. After a while the link counts it as ours again, because it may have been replaced.
    const round = this.orchestrator.link.kind === 'ours' ? this.send() : Promise.resolve(this.owner.onNotTaken());
    this.sending = round.finally(() => {
      this.sending = null;
      this.schedule(this.again ? COALESCE_MS : EVERY_MS);
    });
  }

  private async send(): Promise<void> {
    const { client, link, identity, log } = this.orchestrator;
    try {
      const answer = await client.report(identity.proxyId, this.next());
      link.succeeded('report');
      if (answer.boot_id === identity.bootId) while (this.ended.length > 0 && this.ended[0].since <= answer.ack_seq) this.ended.shift();
      this.passOn(answer.leave);
      this.takeVerdict(answer.identity);
      if (answer.engines_wanted > 0) this.owner.onEnginesWanted(answer.engines_wanted);
    } catch (error) {
      if (error instanceof OrchestratorError) link.failed('report', error);
      else log.error('report failed', { error });
    }
  }

  /** Another proxy has a copy of this proxy's id, for example because its data folder was copied. */
  private takeVerdict(verdict: ReportAnswer['identity']): void {
    const { identity, log } = this.orchestrator;
    if (verdict !== undefined && verdict !== this.verdict) {
      const proxyId = identity.proxyId;
      this.conflicts.inc({ verdict });
      if (verdict === 'replace') {
        identity.replace();
        this.again = true;
      }
      log.warn('another proxy has the same id', { proxy_id: proxyId, new_proxy_id: verdict === 'replace' ? identity.proxyId : null });
    }
    this.verdict = verdict;
  }

  private next(): ProxyReport {
    const { clock, identity } = this.orchestrator;
    this.seq += 1;
    const sessions = this.owner.snapshots().flatMap((snapshot) => toReported(snapshot) ?? []);
    this.pauseUntil = clock.now() + Math.min(EVERY_MS, sessions.length * PAUSE_PER_SESSION_MS);
    return {
      boot_id: identity.bootId,
      seq: this.seq,
      sessions,
      ended: this.ended.map(({ stream_id, reason, ended_at }) => ({ stream_id, reason, ended_at })),
    };
  }

  /** An order is repeated in every answer until it is carried out. */
  private passOn(orders: readonly LeaveOrder[]): void {
    for (const order of orders) if (!this.ordered.has(order.container_id)) this.owner.onLeaveOrder(order);
    this.ordered = new Set(orders.map(({ container_id: id }) => id));
  }

  private clear(): void {
    if (this.timer !== null) this.orchestrator.clock.clearTimeout(this.timer);
    this.timer = null;
    this.due = Infinity;
  }
}
