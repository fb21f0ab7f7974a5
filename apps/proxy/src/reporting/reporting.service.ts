/** Tells the orchestrator what plays: with reports if it is ours, with events if not. */
import type { LeaveOrder } from '@acexy/contracts';
import type { OrchestratorClient } from '@acexy/orchestrator-client';
import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import type { ProxyIdentity } from '../selection/proxy-identity.js';
import type { OrchestratorLink } from '../selection/orchestrator-link.js';
import type { SessionEvent } from '../sessions/session-events.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import { EventOutbox } from './event-outbox.js';
import { ReportLoop } from './report-loop.js';
import { toStartedEvent } from './reported-session.js';

export interface ReportingOptions {
  client: OrchestratorClient;
  link: OrchestratorLink;
  identity: ProxyIdentity;
  registry: Pick<SessionRegistry, 'events' | 'snapshots' | 'leaveEngine'>;
  /** Added to every event; undefined: unknown. */
  containerId?: string;
  clock: Clock;
  log: Log;
  /** For jitter: from 0 to below 1. */
  random: () => number;
}

export class ReportingService {
  /** By stream id: the container named in the last `stream_started` event. */
  private readonly announced = new Map<string, string>();
  private readonly reports: ReportLoop;
  private readonly events: EventOutbox;

  constructor(private readonly options: ReportingOptions) {
    const { registry } = options;
    this.reports = new ReportLoop({
      ...options,
      snapshots: () => registry.snapshots(),
      onLeaveOrder: (order) => this.leaveEngine(order),
      onNotTaken: () => this.announce(),
    });
    this.events = new EventOutbox(options);
    registry.events.subscribe((event) => this.observe(event));
  }

  get unsentEvents(): number {
    return this.events.size;
  }

  start(): void {
    this.reports.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.reports.stop(), this.events.stop()]);
  }

  private observe(event: SessionEvent): void {
    if (event.type === 'changed') {
      this.reports.changed();
      if (this.options.link.kind === 'foreign') this.announce();
    } else if (event.type === 'ended') {
      this.reports.sessionEnded(event.streamId, event.end.reason, event.end.at);
      this.announceEnd(event.streamId, event.end.reason);
    }
  }

  private leaveEngine(order: LeaveOrder): void {
    const { container_id: engineId, reason, deadline } = order;
    this.options.log.info('orchestrator drains engine', { engine_id: engineId, reason, deadline });
    this.options.registry.leaveEngine(order);
  }

  private announceEnd(id: string, reason: string): void {
    const containerId = this.announced.get(id);
    if (containerId === undefined) return;
    this.announced.delete(id);
    this.events.push({ kind: 'ended', streamId: id, event: { container_id: containerId, stream_id: id, reason } });
  }

  /** Sends an event for every stream that plays and is not announced, also for those that started before it was known that events are needed. */
  private announce(): void {
    const { identity, containerId, registry } = this.options;
    const labels = { proxy_id: identity.proxyId, ...(containerId && { proxy_container_id: containerId }) };
    for (const snapshot of registry.snapshots()) {
      if (snapshot.state !== 'playing' && snapshot.state !== 'lingering') continue;
      const event = toStartedEvent(snapshot, labels);
      if (!event?.container_id || this.announced.get(snapshot.streamId) === event.container_id) continue;
      // After a failover the stream has ended on the first engine.
      this.announceEnd(snapshot.streamId, 'the stream continues on another engine');
      this.announced.set(snapshot.streamId, event.container_id);
      this.events.push({ kind: 'started', streamId: snapshot.streamId, event });
    }
  }
}
