/**
 * Tells our orchestrator what plays: the whole list on every change and at least every 2 s, so that a lost message or a restart on either side
 * costs one round. What has ended is listed until it is acknowledged.
 */
import type { EndedSession, LeaveOrder, ProxyReport } from '@acexy/contracts';
import { type OrchestratorClient, OrchestratorError } from '@acexy/orchestrator-client';
import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import type { OrchestratorLink } from '../selection/orchestrator-link.js';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';
import type { ProxyIdentity } from '../selection/proxy-identity.js';
import { toReported } from './reported-session.js';

/** The orchestrator gives a silent proxy 15 s. */
const EVERY_MS = 2000;
/** Changes within this time are one report. */
const COALESCE_MS = 20;
/** As many as a report may list. Beyond, the oldest are forgotten: the orchestrator ends what a report no longer names by itself. */
const MAX_ENDED = 20_000;

export interface ReportLoopOptions {
  client: OrchestratorClient;
  link: OrchestratorLink;
  identity: ProxyIdentity;
  snapshots(): SessionSnapshot[];
  /** An engine should be left by a deadline. */
  onLeave(order: LeaveOrder): void;
  /** A round without a report, because the orchestrator takes none. */
  onNotTaken(): void;
  clock: Clock;
  log: Log;
}

export class ReportLoop {
  private readonly ended: (EndedSession & { since: number })[] = [];
  private readonly ordered = new Set<string>();
  private seq = 0;
  private timer: unknown = null;
  private due = Infinity;
  private sending: Promise<void> | null = null;
  private again = false;
  private stopped = false;

  constructor(private readonly options: ReportLoopOptions) {}

  start(): void {
    this.schedule(0);
  }

  /** Something changed that the orchestrator should know. */
  changed(): void {
    this.schedule(COALESCE_MS);
  }

  sessionEnded(streamId: string, reason: string, endedAt: string): void {
    this.ended.push({ stream_id: streamId, reason: reason.slice(0, 1024), ended_at: endedAt, since: this.seq + 1 });
    if (this.ended.length > MAX_ENDED) this.ended.shift();
    this.changed();
  }

  /** Ends the loop with a last report, which is not repeated. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.clear();
    await this.sending;
    if (this.options.link.kind === 'ours') await this.send();
  }

  private schedule(ms: number): void {
    if (this.stopped) return;
    if (this.sending) {
      if (ms < EVERY_MS) this.again = true;
      return;
    }
    const { clock } = this.options;
    const at = clock.now() + ms;
    if (this.timer !== null && this.due <= at) return;
    this.clear();
    this.due = at;
    this.timer = clock.setTimeout(() => this.run(), ms);
  }

  private run(): void {
    this.timer = null;
    this.again = false;
    // A foreign orchestrator takes none; when it may have been replaced by ours the next round tries.
    const round = this.options.link.kind === 'ours' ? this.send() : Promise.resolve(this.options.onNotTaken());
    this.sending = round.finally(() => {
      this.sending = null;
      this.schedule(this.again ? COALESCE_MS : EVERY_MS);
    });
  }

  private async send(): Promise<void> {
    const { client, link, identity, log } = this.options;
    try {
      const answer = await client.report(identity.proxyId, this.next());
      link.succeeded('report');
      if (answer.boot_id === identity.bootId) this.acknowledge(answer.ack_seq);
      this.takeOrders(answer.leave);
    } catch (error) {
      if (error instanceof OrchestratorError) link.failed('report', error);
      else log.error('report failed', { error });
    }
  }

  private next(): ProxyReport {
    this.seq += 1;
    return {
      boot_id: this.options.identity.bootId,
      seq: this.seq,
      sessions: this.options.snapshots().flatMap((snapshot) => toReported(snapshot) ?? []),
      ended: this.ended.map(({ stream_id, reason, ended_at }) => ({ stream_id, reason, ended_at })),
    };
  }

  private acknowledge(seq: number): void {
    while (this.ended.length > 0 && this.ended[0].since <= seq) this.ended.shift();
  }

  private takeOrders(orders: readonly LeaveOrder[]): void {
    const standing = new Set(orders.map(({ container_id: id }) => id));
    for (const order of orders) if (!this.ordered.has(order.container_id)) this.options.onLeave(order);
    this.ordered.clear();
    for (const id of standing) this.ordered.add(id);
  }

  private clear(): void {
    if (this.timer !== null) this.options.clock.clearTimeout(this.timer);
    this.timer = null;
    this.due = Infinity;
  }
}
