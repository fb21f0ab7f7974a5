import { counterOf, metric, readGauge } from '@acexy/service-kit';
import { Histogram } from 'prom-client';

/** Seconds; a round decides in memory and waits for nobody. */
const ROUND_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const ACTIONS = ['start', 'drain', 'remove'] as const;

/** The reconcile loop in figures. */
export class ReconcileMetrics {
  private target = 0;
  private lastRoundAt = 0;
  private readonly rounds = metric(
    'orch_reconcile_duration_seconds',
    (name) => new Histogram({ name, help: 'Time of a round of the reconcile loop', buckets: ROUND_BUCKETS }),
  );
  private readonly failures = counterOf('orch_reconcile_failures_total', 'Rounds of the reconcile loop that failed', []);
  private readonly actions = counterOf(
    'orch_reconcile_actions_total',
    'Engines that the reconcile loop ordered, drained or removed',
    ['action'],
    ACTIONS.map((action) => ({ action })),
  );

  constructor() {
    readGauge('orch_pool_target', 'Engines there should be, as the last round decided', [], (set) => set(this.target));
    readGauge('orch_reconcile_last_success_timestamp_seconds', 'When the last good round ended; 0 before the first', [], (set) =>
      set(this.lastRoundAt),
    );
  }

  /** Times one round. */
  round<T>(round: () => T): T {
    const startedAt = performance.now();
    try {
      const result = round();
      this.lastRoundAt = Date.now() / 1000;
      return result;
    } catch (error) {
      this.failures.inc();
      throw error;
    } finally {
      this.rounds.observe((performance.now() - startedAt) / 1000);
    }
  }

  /** @param orders how many engines were started, drained and removed */
  decided(target: number, orders: Record<(typeof ACTIONS)[number], number>): void {
    this.target = target;
    for (const action of ACTIONS) this.actions.inc({ action }, orders[action]);
  }
}
