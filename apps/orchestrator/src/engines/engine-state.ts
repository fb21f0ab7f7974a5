import type { EngineState } from '@acexy/contracts';
import type { Engine } from './engine-registry.js';

/** An engine as clients see it. One that drains or is cut off is shown as unhealthy, so that clients who choose for themselves leave it alone. */
export function toEngineState(engine: Engine, streams: string[]): EngineState {
  const { instance } = engine;
  return {
    container_id: engine.id,
    container_name: instance.name,
    host: instance.host,
    port: instance.port,
    labels: { ...instance.labels },
    forwarded: engine.forwarded,
    first_seen: isoTime(engine.firstSeen),
    last_seen: isoTime(engine.lastSeen),
    streams,
    health_status: engine.lifecycle === 'draining' || engine.cutOff !== null ? 'unhealthy' : engine.health,
    last_health_check: isoTimeOrNull(engine.lastHealthCheck),
    last_stream_usage: isoTimeOrNull(engine.lastStreamUsage),
  };
}

/** Milliseconds since the epoch as ISO 8601 in UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

export function isoTimeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}
