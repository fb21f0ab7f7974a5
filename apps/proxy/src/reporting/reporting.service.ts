/** Tells the orchestrator what plays, in the way that it takes: reports to ours, events to any other. */
import type { OrchestratorLink } from '../selection/orchestrator-link.js';
import type { SessionListener } from '../sessions/session-registry.js';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';
import type { StreamSession } from '../sessions/stream-session.js';
import type { EventOutbox } from './event-outbox.js';
import type { ReportLoop } from './report-loop.js';
import { toStartedEvent } from './reported-session.js';

export interface ReportingOptions {
  link: OrchestratorLink;
  /** Made here, because it tells us when its reports are not taken. */
  reports: (onNotTaken: () => void) => ReportLoop;
  events: EventOutbox;
  snapshots(): SessionSnapshot[];
  /** Of every event. */
  labels: Record<string, string>;
}

export class ReportingService implements SessionListener {
  /** Streams whose start is among the events, and under which container. */
  private readonly announced = new Map<string, string>();

  private readonly reports: ReportLoop;

  constructor(private readonly options: ReportingOptions) {
    this.reports = options.reports(() => this.announce());
  }

  get unsentEvents(): number {
    return this.options.events.size;
  }

  start(): void {
    this.reports.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.reports.stop(), this.options.events.stop()]);
  }

  sessionChanged(): void {
    this.reports.changed();
    if (this.options.link.kind === 'foreign') this.announce();
  }

  sessionEnded({ id, ending }: StreamSession): void {
    if (!ending) return;
    this.reports.sessionEnded(id, ending.reason, ending.at);
    this.announceEnd(id, ending.reason);
  }

  private announceEnd(id: string, reason: string): void {
    const containerId = this.announced.get(id);
    if (containerId === undefined) return;
    this.announced.delete(id);
    this.options.events.push({ kind: 'ended', streamId: id, event: { container_id: containerId, stream_id: id, reason } });
  }

  /**
   * Makes an event of every stream that plays and is not among the events yet; also those that began before it was known that events are wanted.
   * One that has gone on from another engine has ended on the first.
   */
  private announce(): void {
    for (const snapshot of this.options.snapshots()) {
      if (snapshot.state !== 'playing' && snapshot.state !== 'lingering') continue;
      const event = toStartedEvent(snapshot, this.options.labels);
      if (!event?.container_id || this.announced.get(snapshot.streamId) === event.container_id) continue;
      this.announceEnd(snapshot.streamId, 'the stream goes on from another engine');
      this.announced.set(snapshot.streamId, event.container_id);
      this.options.events.push({ kind: 'started', streamId: snapshot.streamId, event });
    }
  }
}
