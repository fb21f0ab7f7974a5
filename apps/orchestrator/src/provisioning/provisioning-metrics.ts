import { type CircuitState, OPERATION_TYPES, type OperationType } from '@acexy/contracts';
import { counterOf, metric, readGauge } from '@acexy/service-kit';
import { Histogram } from 'prom-client';
import type { EngineKind } from '../runtime/engine-runtime.js';

/** Seconds; a process starts within tenths, an image on a slow disk within tens. */
const DURATION_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120];
/** As dashboards colour it: the higher the worse. */
const CIRCUIT_VALUES: Record<CircuitState, number> = { closed: 0, half_open: 1, open: 2 };

interface CircuitReading {
  state: CircuitState;
  failures: number;
}

type CircuitReadings = Record<OperationType, CircuitReading>;

/** How engines come to be, in figures. */
export class ProvisioningMetrics {
  private readonly total = counterOf(
    'orch_provision_total',
    'Engines and containers started',
    ['kind'],
    [{ kind: 'acestream' }, { kind: 'generic' }],
  );
  private readonly duration = metric(
    'orch_provision_duration_seconds',
    (name) =>
      new Histogram({
        name,
        help: 'Time from the request until the engine runs or has failed',
        labelNames: ['success'],
        buckets: DURATION_BUCKETS,
      }),
  );
  private readonly queueWait = metric(
    'orch_provision_queue_wait_seconds',
    (name) => new Histogram({ name, help: 'Time that a provision waited for its turn', buckets: DURATION_BUCKETS }),
  );

  /** @param circuits what the breakers say at the moment of the scrape: their half-open state comes with time alone */
  constructor(circuits: () => CircuitReadings) {
    this.duration.zero({ success: 'true' });
    this.duration.zero({ success: 'false' });
    readGauge('orch_circuit_breaker_state', '0 closed, 1 half open, 2 open', ['operation_type'], (set) => {
      const readings = circuits();
      for (const operation of OPERATION_TYPES) set(CIRCUIT_VALUES[readings[operation].state], { operation_type: operation });
    });
    readGauge('orch_circuit_breaker_failures', 'Failures in a row', ['operation_type'], (set) => {
      const readings = circuits();
      for (const operation of OPERATION_TYPES) set(readings[operation].failures, { operation_type: operation });
    });
  }

  started(kind: EngineKind, seconds: number): void {
    this.total.inc({ kind });
    this.duration.observe({ success: 'true' }, seconds);
  }

  failed(seconds: number): void {
    this.duration.observe({ success: 'false' }, seconds);
  }

  turnCame(seconds: number): void {
    this.queueWait.observe(seconds);
  }
}
