import { counterOf, readGauge } from '@acexy/service-kit';

/** Streams in figures. */
export class StreamMetrics {
  private readonly startedTotal = counterOf('orch_events_started_total', 'Streams that started', []);
  private readonly endedTotal = counterOf('orch_events_ended_total', 'Streams that ended', []);

  constructor(active: () => number) {
    readGauge('orch_streams_active', 'Streams that play', [], (set) => set(active()));
  }

  started(): void {
    this.startedTotal.inc();
  }

  ended(): void {
    this.endedTotal.inc();
  }
}
