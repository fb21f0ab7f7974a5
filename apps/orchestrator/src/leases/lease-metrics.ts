import { BLOCKED_CODES, type BlockedCode, LEASE_PURPOSES } from '@acexy/contracts';
import { counterOf, metric } from '@acexy/service-kit';
import { Histogram } from 'prom-client';
import type { Lease } from './lease-book.js';

/** Seconds; at once from a pool with a free engine, the start of a container otherwise. */
const WAIT_BUCKETS = [0.005, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60];
export const LEASE_ENDS = ['given_back', 'report_dropped', 'lapsed', 'engine_gone', 'proxy_gone'] as const;
export type LeaseEnd = (typeof LEASE_ENDS)[number];

export class LeaseMetrics {
  private readonly grants = counterOf(
    'orch_leases_granted_total',
    'Leases granted',
    ['purpose'],
    LEASE_PURPOSES.map((purpose) => ({ purpose })),
  );
  private readonly ends = counterOf(
    'orch_leases_ended_total',
    'Leases ended, by what ended them',
    ['cause'],
    LEASE_ENDS.map((cause) => ({ cause })),
  );
  private readonly refusals = counterOf(
    'orch_leases_refused_total',
    'Callers told that waiting for an engine is no use',
    ['code'],
    BLOCKED_CODES.map((code) => ({ code })),
  );
  private readonly waits = metric(
    'orch_lease_wait_seconds',
    (name) =>
      new Histogram({
        name,
        help: 'From the first question for a lease until it is granted',
        labelNames: ['purpose'],
        buckets: WAIT_BUCKETS,
      }),
  );

  granted({ purpose, waitedMs }: Lease): void {
    this.grants.inc({ purpose });
    this.waits.observe({ purpose }, waitedMs / 1000);
  }

  ended(cause: LeaseEnd, count: number): void {
    this.ends.inc({ cause }, count);
  }

  refused(code: BlockedCode): void {
    this.refusals.inc({ code });
  }
}
