/**
 * Metrics in the global registry. A process may contain several applications (in tests): they share counters, and a metric that is read at the
 * scrape is read from the application that was created last.
 */
import { Counter, Gauge, Histogram, register } from 'prom-client';

/** The metric of that name, created on first use. */
export function metric<T>(name: string, make: (name: string) => T): T {
  return (register.getSingleMetric(name) as T | undefined) ?? make(name);
}

/**
 * @param labels names of the labels, or each name with its values. With values the counter starts at 0 for every combination, because `rate` sees no
 * increase when a new series starts at 1.
 */
export function counterOf<L extends string = never>(
  name: string,
  help: string,
  labels: readonly L[] | Record<L, readonly string[]> = [],
): Counter<L> {
  return metric(name, () => {
    if (Array.isArray(labels)) return new Counter<L>({ name, help, labelNames: labels });
    const values = labels as Record<L, readonly string[]>;
    const counter = new Counter({ name, help, labelNames: Object.keys(values) as L[] });
    for (const combination of combinations(values)) counter.inc(combination as Record<L, string>, 0);
    return counter;
  });
}

function combinations(values: Record<string, readonly string[]>): Record<string, string>[] {
  let all: Record<string, string>[] = [{}];
  for (const [label, texts] of Object.entries(values)) all = all.flatMap((one) => texts.map((text) => ({ ...one, [label]: text })));
  return all;
}

export function histogramOf<L extends string = never>(
  name: string,
  help: string,
  buckets: number[],
  labelNames: readonly L[] = [],
): Histogram<L> {
  return metric(name, () => new Histogram({ name, help, labelNames, buckets }));
}

export type SetValue<L extends string> = (value: number, labels?: Partial<Record<L, string>>) => void;

/**
 * A gauge whose values are read at the scrape. A scrape shows only the labels that `read` sets.
 * @param aggregator how the values of several processes of one service become one
 */
export function readGauge<L extends string>(
  name: string,
  help: string,
  labelNames: readonly L[],
  read: (set: SetValue<L>) => void,
  aggregator: 'sum' | 'max' | 'first' = 'sum',
): void {
  register.removeSingleMetric(name);
  new Gauge({
    name,
    help,
    labelNames,
    aggregator,
    collect() {
      this.reset();
      read((value, labels) => this.set((labels ?? {}) as Partial<Record<L, string | number>>, value));
    },
  });
}

/** A counter whose value is read at the scrape. */
export function readTotal(name: string, help: string, read: () => number): void {
  register.removeSingleMetric(name);
  new Counter({
    name,
    help,
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}
