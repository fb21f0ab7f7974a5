/** Builds the reply of `/ace/status`. */
import type { HlsStatus } from '../hls/hls-stream.js';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';
import { isOpen } from '../sessions/session-state.js';
import type { MemoryPlan } from '../sessions/budget/memory-plan.js';
import type { ViewerLimits } from '../sessions/session-context.js';

/** Bytes in the buffers of all streams, and how many there may be. */
export interface BufferUse {
  readonly usedBytes: number;
  readonly plan: Pick<MemoryPlan, 'bufferBytes'>;
}

/** HLS status of a stream; null if nobody watches it as HLS. */
type HlsOf = (streamId: string) => HlsStatus | null;

export function overview(
  sessions: readonly SessionSnapshot[],
  hlsOf: HlsOf,
  { maxViewers, maxViewersPerStream }: ViewerLimits,
  budget: BufferUse,
): object {
  const open = sessions.filter(({ state }) => isOpen(state));
  return {
    status: 'ok',
    streams: open.length,
    clients: open.reduce((sum, { viewers }) => sum + viewers, 0),
    limits: { clients: maxViewers || null, clients_per_stream: maxViewersPerStream || null },
    memory: { buffer_bytes: budget.usedBytes, buffer_budget_bytes: budget.plan.bufferBytes },
    sessions: open.map((snapshot) => toStatus(snapshot, hlsOf)),
  };
}

export function streamStatus(session: SessionSnapshot, hlsOf: HlsOf): object {
  return { status: 'ok', ...toStatus(session, hlsOf) };
}

function toStatus(snapshot: SessionSnapshot, hlsOf: HlsOf) {
  const { engine, playback, broadcast } = snapshot;
  return {
    clients: snapshot.viewers,
    failovers: snapshot.failovers,
    stream: { key_type: snapshot.keyType, key: snapshot.key },
    stream_id: snapshot.streamId,
    state: snapshot.state,
    infohash: snapshot.infohash,
    title: snapshot.title,
    started_at: snapshot.startedAt,
    uptime_s: Math.round(snapshot.uptimeMs / 1000),
    engine: engine && { container_id: engine.containerId, ...engine.address },
    reserve: snapshot.standbyEngine,
    stat_url: playback?.statUrl ?? null,
    command_url: playback?.commandUrl ?? null,
    playback_session_id: playback?.playbackSessionId ?? null,
    bytes_in: broadcast?.bytesIn ?? 0,
    bitrate: broadcast?.bitrate ?? null,
    codecs: broadcast?.codecs ?? [],
    buffer: broadcast && { bytes: broadcast.ring.bytes, seconds: broadcast.ring.seconds, max_bytes: broadcast.ring.maxBytes },
    hls: hlsOf(snapshot.streamId),
    viewers: (broadcast?.viewers ?? []).map(({ id, bytesSent, lagBytes, lagMs, skips }) => ({
      id,
      bytes_sent: bytesSent,
      lag_bytes: lagBytes,
      lag_ms: Math.round(lagMs),
      skips,
    })),
  };
}
