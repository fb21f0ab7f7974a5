import { BLOCKED_CODES, LEASE_PURPOSES } from '@acexy/contracts';
import { counterOf, readGauge, histogramOf } from '@acexy/service-kit';
import type { Engine } from '../engines/engine.js';
import type { EngineRegistry } from '../engines/engine-registry.js';
import type { EngineClaimBook } from './engine-claims.js';
import type { Lease } from './lease-book.js';

/** Seconds: almost 0 with a free engine, the start of a container otherwise. */
const WAIT_BUCKETS = [0.005, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60];
const LEASE_ENDS = ['released', 'report_dropped', 'expired', 'engine_gone', 'proxy_gone'] as const;
export type LeaseEnd = (typeof LEASE_ENDS)[number];

/** What a ready engine is doing; `free` can be leased. */
const USES = ['free', 'busy', 'cordoned', 'unhealthy'] as const;

export class LeaseMetrics {
  private readonly grants = counterOf('orch_leases_granted_total', 'Granted leases', { purpose: LEASE_PURPOSES });
  readonly ended = counterOf('orch_leases_ended_total', 'Ended leases by cause', { cause: LEASE_ENDS });
  readonly refused = counterOf('orch_leases_refused_total', 'Lease requests answered with 503', { code: BLOCKED_CODES });
  private readonly waits = histogramOf('orch_lease_wait_seconds', 'Seconds from the first lease request until the grant', WAIT_BUCKETS, [
    'purpose',
  ]);

  constructor(
    registry: EngineRegistry,
    private readonly claims: EngineClaimBook,
    leases: { leaseCount: number; waitingCount: number },
  ) {
    readGauge('orch_engines_use', 'Ready engines by use', ['use'], (set) => {
      const uses = registry.all().flatMap((engine) => (engine.lifecycle === 'ready' ? [this.useOf(engine)] : []));
      for (const use of USES) set(uses.filter((each) => each === use).length, { use });
    });
    readGauge('orch_leases_active', 'Current leases', [], (set) => set(leases.leaseCount));
    readGauge('orch_leases_waiting', 'Lease requests that wait for an engine', [], (set) => set(leases.waitingCount));
  }

  granted({ purpose, waitedMs }: Lease): void {
    this.grants.inc({ purpose });
    this.waits.observe({ purpose }, waitedMs / 1000);
  }

  private useOf({ id, health }: Engine): (typeof USES)[number] {
    const { count, cordon } = this.claims.on(id);
    if (count > 0) return 'busy';
    if (health === 'unhealthy') return 'unhealthy';
    return cordon === null ? 'free' : 'cordoned';
  }
}
