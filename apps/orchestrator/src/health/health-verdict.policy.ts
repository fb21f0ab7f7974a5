import type { HealthStatus } from '@acexy/contracts';

export interface ProbeHistory {
  health: HealthStatus;
  /** Failed probes in a row, up to the last one before this. */
  failures: number;
}

/**
 * What one more probe means: an answer makes an engine healthy, `threshold` failures in a row make it unhealthy, and fewer mean nothing
 * yet, because a busy engine misses one now and then.
 */
export function healthVerdict({ health, failures }: ProbeHistory, answered: boolean, threshold: number): ProbeHistory {
  if (answered) return { health: 'healthy', failures: 0 };
  const inARow = failures + 1;
  return { health: inARow >= threshold ? 'unhealthy' : health, failures: inARow };
}
