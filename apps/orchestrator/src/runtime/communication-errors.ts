import { counterOf } from '@acexy/service-kit';
import type { Counter } from 'prom-client';

/** Frequent label values, exported as 0 from the start. */
const INITIAL = [
  { source: 'engine', error_type: 'engine_unreachable' },
  { source: 'engine', error_type: 'engine_timeout' },
  { source: 'docker', error_type: 'runtime_unreachable' },
  { source: 'docker', error_type: 'runtime_failed' },
];

/**
 * `orch_communication_errors_total{source,error_type}`: failed outgoing calls. `source`: `engine`, or the runtime (`docker`, `process`);
 * `error_type`: the code of the error.
 */
export function communicationErrors(): Counter<'source' | 'error_type'> {
  const errors = counterOf('orch_communication_errors_total', 'Failed outgoing calls', ['source', 'error_type']);
  for (const labels of INITIAL) errors.inc(labels, 0);
  return errors;
}
