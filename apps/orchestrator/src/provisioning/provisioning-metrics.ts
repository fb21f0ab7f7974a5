import { CIRCUIT_STATES, type CircuitState, OPERATION_TYPES, BLOCKED_CODES, type ProvisioningStatus } from '@acexy/contracts';
import { counterOf, readGauge, histogramOf } from '@acexy/service-kit';
import type { ProvisioningBreakers } from './provisioning-breakers.js';

/** Seconds: a process starts within tenths, an image on a slow disk within tens. */
const DURATION_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120];
/** Dashboards color it: the higher, the worse. */
const CIRCUIT_VALUES: Record<CircuitState, number> = { closed: 0, half_open: 1, open: 2 };

export class ProvisioningMetrics {
  readonly refused = counterOf('orch_provision_refused_total', 'Provisions refused or failed, by the code in the answer', {
    code: BLOCKED_CODES,
  });
  readonly started = counterOf('orch_provision_total', 'Engines and containers started', { kind: ['acestream', 'generic'] });
  readonly duration = histogramOf(
    'orch_provision_duration_seconds',
    'Time from the request until the engine runs or its start has failed',
    DURATION_BUCKETS,
    ['success'],
  );
  readonly queueWait = histogramOf('orch_provision_queue_wait_seconds', 'Time a provision waited in the queue', DURATION_BUCKETS);

  constructor(breakers: ProvisioningBreakers, status: () => ProvisioningStatus) {
    this.duration.zero({ success: 'true' });
    this.duration.zero({ success: 'false' });
    readGauge('orch_circuit_breaker_state', '0 closed, 1 half open, 2 open', ['operation_type'], (set) => {
      for (const operation of OPERATION_TYPES) set(CIRCUIT_VALUES[breakers.report(operation).state], { operation_type: operation });
    });
    readGauge('orch_circuit_breaker_failures', 'Failures in a row', ['operation_type'], (set) => {
      for (const operation of OPERATION_TYPES) set(breakers.report(operation).failures, { operation_type: operation });
    });
    readGauge('orch_circuit_state', '1 for the current state of the general circuit breaker', ['state'], (set) => {
      const current = breakers.report('general').state;
      for (const state of CIRCUIT_STATES) set(state === current ? 1 : 0, { state });
    });
    readGauge('orch_provision_queue', 'Provisions that wait or are in progress', ['state'], (set) => {
      const { queued, in_progress: inProgress } = status();
      set(queued, { state: 'waiting' });
      set(inProgress, { state: 'in_progress' });
    });
    readGauge('orch_provision_remaining', 'Further provisions that could start now', [], (set) => set(status().remaining));
  }
}
