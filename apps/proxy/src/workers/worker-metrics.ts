/** The metrics of the front and of all workers as one set. */
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue, Registry } from 'prom-client';

export type MetricSet = MetricObjectWithValues<MetricValue<string>>[];

/** Of these the worst process counts, not the average of all. */
const WORST = 'nodejs_eventloop_lag_';
/** Of the front: its workers may have started later. */
const START_TIME = 'process_start_time_seconds';
/** Values that only grow. */
const CUMULATIVE: ReadonlySet<string> = new Set(['counter', 'histogram', 'summary']);

export class WorkerMetrics {
  /** By worker: what its process last answered. */
  private readonly last = new Map<number, MetricSet>();
  /** What the processes counted that have ended: without it, a total would go back when a worker ends. */
  private ended: MetricSet = [];

  answered(worker: number, metrics: MetricSet): void {
    this.last.set(worker, metrics);
  }

  async exited(worker: number): Promise<void> {
    const counted = (this.last.get(worker) ?? []).filter(({ type }) => CUMULATIVE.has(String(type)));
    this.last.delete(worker);
    this.ended = (await merge([this.ended, counted]).getMetricsAsJSON()) as unknown as MetricSet;
  }

  /** A process that has not answered counts with its last answer. @param own of the front */
  merged(own: MetricSet): Registry {
    return merge([own, this.ended, ...this.last.values()]);
  }
}

function merge(sets: readonly MetricSet[]): Registry {
  const all = sets.map((set) => set.map((metric) => ({ ...metric, aggregator: aggregatorOf(metric) })));
  return AggregatorRegistry.aggregate(all as never) as Registry;
}

function aggregatorOf({ name, aggregator }: MetricSet[number]): string {
  if (name === START_TIME) return 'first';
  return name.startsWith(WORST) ? 'max' : aggregator;
}
