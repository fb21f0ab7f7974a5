import { type CircuitState, OPERATION_TYPES, type OperationType } from '@acexy/contracts';
import { metric } from '@acexy/service-kit';
import { Counter, Gauge, Histogram } from 'prom-client';
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

/** What the breakers say at the moment of the scrape: their half-open state comes with time alone. */
let readCircuits: () => CircuitReadings | null = () => null;

export class ProvisioningMetrics {
  private readonly total = metric(
    'orch_provision_total',
    (name) => new Counter({ name, help: 'Engines and containers started', labelNames: ['kind'] }),
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

  constructor(circuits: () => CircuitReadings) {
    readCircuits = circuits;
    metric(
      'orch_circuit_breaker_state',
      (name) => new Gauge({ name, help: '0 closed, 1 half open, 2 open', labelNames: ['operation_type'], collect: collectState }),
    );
    metric(
      'orch_circuit_breaker_failures',
      (name) => new Gauge({ name, help: 'Failures in a row', labelNames: ['operation_type'], collect: collectFailures }),
    );
  }

  started(kind: EngineKind, seconds: number): void {
    this.total.inc({ kind });
    this.duration.observe({ success: 'true' }, seconds);
  }

  failed(seconds: number): void {
    this.duration.observe({ success: 'false' }, seconds);
  }
}

function collectState(this: Gauge<'operation_type'>): void {
  const readings = readCircuits();
  if (readings) for (const operation of OPERATION_TYPES) this.set({ operation_type: operation }, CIRCUIT_VALUES[readings[operation].state]);
}

function collectFailures(this: Gauge<'operation_type'>): void {
  const readings = readCircuits();
  if (readings) for (const operation of OPERATION_TYPES) this.set({ operation_type: operation }, readings[operation].failures);
}
