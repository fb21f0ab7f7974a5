/**
 * Metrics by name in the process's one register. Several applications may live in one process (tests do that): what is counted goes on
 * counting, what is read at the scrape is read from the application that was made last.
 */
import { Counter, Gauge, register } from 'prom-client';

/** The metric of that name, made on first use. */
export function metric<T>(name: string, make: (name: string) => T): T {
  return (register.getSingleMetric(name) as T | undefined) ?? make(name);
}

/** A counter that shows 0 for each of `initial`, so that a first error is a rise and not a new series that `rate` does not see. */
export function counterOf<L extends string>(
  name: string,
  help: string,
  labelNames: readonly L[],
  initial: readonly Record<L, string>[] = [],
): Counter<L> {
  return metric(name, () => {
    const counter = new Counter({ name, help, labelNames });
    for (const labels of initial) counter.inc(labels, 0);
    return counter;
  });
}

export type SetValue<L extends string> = (value: number, labels?: Partial<Record<L, string>>) => void;

/** A gauge that is read when it is scraped; labels that are not set in that scrape are not shown. */
export function readGauge<L extends string>(name: string, help: string, labelNames: readonly L[], read: (set: SetValue<L>) => void): void {
  register.removeSingleMetric(name);
  new Gauge({
    name,
    help,
    labelNames,
    collect() {
      this.reset();
      read((value, labels) => this.set((labels ?? {}) as Partial<Record<L, string | number>>, value));
    },
  });
}

/** A counter whose value is added up when it is scraped. */
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
