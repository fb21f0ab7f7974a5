import type { HealthStatus } from '@acexy/contracts';
import type { Lifecycle } from '../engines/engine.js';

export interface ScoredEngine {
  lifecycle: Lifecycle;
  health: HealthStatus;
  /** Health checks missed in a row. */
  missedChecks: number;
  /** Streams and leases on it. */
  claims: number;
  maxStreams: number;
  /** Why no new stream may use it although it looks free, or null. */
  cordoned: string | null;
}

export interface HealthScore {
  /** 0 to 100, a whole number. */
  score: number;
  /** The parts of the score. */
  reasons: string[];
}

const BASE: Record<HealthStatus, number> = { healthy: 100, unknown: 50, unhealthy: 10 };
const MISSED_CHECK = 15;
/** Penalty of a full engine, compared with an empty one. */
const FULL = 30;
const CORDONED = 20;

/** Rates an engine for the next stream by its health, its missed health checks and its streams. */
export function healthScore(engine: ScoredEngine): HealthScore {
  if (engine.lifecycle === 'draining') return { score: 0, reasons: ['is draining: 0'] };
  const parts: [string, number][] = [[engine.health, BASE[engine.health]]];
  if (engine.missedChecks > 0) parts.push([`${engine.missedChecks} missed health checks in a row`, -MISSED_CHECK * engine.missedChecks]);
  if (engine.claims > 0)
    parts.push([
      `${engine.claims} of ${engine.maxStreams} streams`,
      -Math.round((FULL * Math.min(engine.claims, engine.maxStreams)) / engine.maxStreams),
    ]);
  if (engine.cordoned !== null) parts.push([`cordoned, ${engine.cordoned}`, -CORDONED]);
  const sum = parts.reduce((total, [, points]) => total + points, 0);
  return { score: Math.max(0, Math.min(100, sum)), reasons: parts.map(([what, points]) => `${what}: ${points}`) };
}
