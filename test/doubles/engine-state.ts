import type { EngineState } from '@acexy/contracts';

const MOMENT = '2026-01-01T12:00:00.000Z';

/** A healthy engine as `GET /engines` shows it. */
export function engineState(id: string, changes: Partial<EngineState> = {}): EngineState {
  return {
    container_id: id,
    container_name: id,
    host: id,
    port: 6878,
    labels: {},
    forwarded: false,
    first_seen: MOMENT,
    last_seen: MOMENT,
    streams: [],
    health_status: 'healthy',
    last_health_check: null,
    last_stream_usage: null,
    ...changes,
  };
}
