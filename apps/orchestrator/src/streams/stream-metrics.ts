import { metric } from '@acexy/service-kit';
import { Counter, Gauge } from 'prom-client';

/** Read at the scrape, from the service that was made last: a process has one, tests make several. */
let readActive: () => number = () => 0;

export class StreamMetrics {
  private readonly startedTotal = metric('orch_events_started_total', (name) => new Counter({ name, help: 'Streams that started' }));
  private readonly endedTotal = metric('orch_events_ended_total', (name) => new Counter({ name, help: 'Streams that ended' }));

  constructor(active: () => number) {
    readActive = active;
    metric('orch_streams_active', (name) => new Gauge({ name, help: 'Streams that play', collect: collectActive }));
  }

  started(): void {
    this.startedTotal.inc();
  }

  ended(): void {
    this.endedTotal.inc();
  }
}

function collectActive(this: Gauge): void {
  this.set(readActive());
}
