import { counterOf, readGauge, histogramOf } from '@acexy/service-kit';
import type { PoolLimits } from './scaling.policy.js';

/** Seconds; a round decides in memory and does not wait. */
const ROUND_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const ACTIONS = ['start', 'drain', 'remove'] as const;

export class ReconcileMetrics {
  private target = 0;
  private lastRoundAt = 0;
  private readonly rounds = histogramOf('orch_reconcile_duration_seconds', 'Duration of one round of the reconcile loop', ROUND_BUCKETS);
  private readonly failures = counterOf('orch_reconcile_failures_total', 'Failed rounds of the reconcile loop');
  private readonly actions = counterOf('orch_reconcile_actions_total', 'Engines that the reconcile loop started, drained or removed', {
    action: ACTIONS,
  });

  /** @param limits that are in force: behind VPNs the maximum may be lower than MAX_REPLICAS */
  constructor(limits: () => Pick<PoolLimits, 'minFree' | 'max'>) {
    readGauge('orch_pool_limit', 'Free engines to keep (min_free) and the largest number of engines (max)', ['limit'], (set) => {
      set(limits().minFree, { limit: 'min_free' });
      set(limits().max, { limit: 'max' });
    });
    readGauge('orch_pool_target', 'Target number of engines of the last round', [], (set) => set(this.target));
    readGauge('orch_reconcile_last_success_timestamp_seconds', 'End of the last successful round; 0 before the first', [], (set) =>
      set(this.lastRoundAt),
    );
  }

  /** Runs and times one round. */
  round<T>(round: () => T): T {
    const end = this.rounds.startTimer();
    try {
      const result = round();
      this.lastRoundAt = Date.now() / 1000;
      return result;
    } catch (error) {
      this.failures.inc();
      throw error;
    } finally {
      end();
    }
  }

  /** @param counts engines started, drained and removed */
  decided(target: number, counts: Record<(typeof ACTIONS)[number], number>): void {
    this.target = target;
    for (const action of ACTIONS) this.actions.inc({ action }, counts[action]);
  }
}
