import { counterOf } from '@acexy/service-kit';
import type { Counter } from 'prom-client';

/** The likely ones, shown as 0 from the start. */
const INITIAL = [
  { source: 'engine', error_type: 'engine_unreachable' },
  { source: 'engine', error_type: 'engine_timeout' },
  { source: 'docker', error_type: 'runtime_unreachable' },
  { source: 'docker', error_type: 'runtime_failed' },
];

/**
 * `orch_communication_errors_total{source,error_type}`: calls to others that failed. `source`: `engine`, or what runs engines (`docker`,
 * `process`); `error_type`: the code of the error.
 */
export function communicationErrors(): Counter<'source' | 'error_type'> {
  return counterOf('orch_communication_errors_total', 'Calls to others that failed', ['source', 'error_type'], INITIAL);
}
