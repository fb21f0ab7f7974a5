import type { HealthStatus } from '@acexy/contracts';

export interface ProbeHistory {
  health: HealthStatus;
  /** Failed probes in a row before this one. */
  failures: number;
}

/**
 * The health after one more probe. An answer makes an engine healthy, `threshold` failures in a row make it unhealthy. Fewer failures change
 * nothing, because a busy engine misses a probe now and then.
 */
export function healthVerdict({ health, failures }: ProbeHistory, answered: boolean, threshold: number): ProbeHistory {
  if (answered) return { health: 'healthy', failures: 0 };
  const inARow = failures + 1;
  return { health: inARow >= threshold ? 'unhealthy' : health, failures: inARow };
}
