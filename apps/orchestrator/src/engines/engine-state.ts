import type { EngineState } from '@acexy/contracts';
import type { Engine } from './engine.js';

/** An engine as clients see it. A draining or cut-off engine is shown as unhealthy, so that clients that select engines themselves avoid it. */
export function toEngineState(engine: Engine): EngineState {
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
    streams: [...engine.streams],
    health_status: engine.lifecycle === 'draining' || engine.cutOff !== null ? 'unhealthy' : engine.health,
    last_health_check: isoTimeOrNull(engine.lastHealthCheck),
    last_stream_usage: isoTimeOrNull(engine.lastStreamUsage),
    image: instance.image,
    outdated: engine.outdated,
  };
}

/** @param ms wall time @returns ISO 8601 in UTC */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

export function isoTimeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}
