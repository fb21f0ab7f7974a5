/** Tells the orchestrator what plays: with reports if it is ours, with events if not. */
import type { LeaveOrder } from '@acexy/contracts';
import type { OrchestratorContext } from '../selection/injection-tokens.js';
import type { SessionEvent } from '../sessions/session-events.js';
import type { SessionDirectory } from '../sessions/session-directory.js';
import { EventOutbox } from './event-outbox.js';
import { ReportLoop } from './report-loop.js';
import { toStartedEvent } from './reported-session.js';

export class ReportingService {
  /** By stream id: the container named in the last `stream_started` event. */
  private readonly announced = new Map<string, string>();
  private readonly reports: ReportLoop;
  private readonly events: EventOutbox;

  /** @param containerId of the proxy, added to every event; undefined: unknown */
  constructor(
    private readonly orchestrator: OrchestratorContext,
    private readonly registry: Omit<SessionDirectory, 'rejecting'>,
    private readonly containerId?: string,
  ) {
    this.reports = new ReportLoop(orchestrator, {
      snapshots: () => registry.snapshots(),
      onLeaveOrder: (order) => this.leaveEngine(order),
      onEnginesWanted: (count) => registry.endLingering(count),
      onNotTaken: () => this.announce(),
    });
    this.events = new EventOutbox(orchestrator);
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
      if (this.orchestrator.link.kind === 'foreign') this.announce();
    } else if (event.type === 'ended') {
      this.reports.sessionEnded(event.streamId, event.end.reason, event.end.at);
      this.announceEnd(event.streamId, event.end.reason);
    }
  }

  private leaveEngine(order: LeaveOrder): void {
    const { container_id: engineId, reason, deadline } = order;
    this.orchestrator.log.info('orchestrator drains engine', { engine_id: engineId, reason, deadline });
    this.registry.leaveEngine(order);
  }

  private announceEnd(id: string, reason: string): void {
    const containerId = this.announced.get(id);
    if (containerId === undefined) return;
    this.announced.delete(id);
    this.events.push({ kind: 'ended', streamId: id, event: { container_id: containerId, stream_id: id, reason } });
  }

  /** Sends an event for every playing stream without one. It may have started before the orchestrator turned out to need events. */
  private announce(): void {
    const { containerId } = this;
    const labels = { proxy_id: this.orchestrator.identity.proxyId, ...(containerId && { proxy_container_id: containerId }) };
    for (const snapshot of this.registry.snapshots()) {
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
