/** A session in the form of reports and events. Pure. */
import type { ReportedSession, ReportedSessionState, StreamStartedEvent } from '@acexy/contracts';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';
import type { SessionState } from '../sessions/session-state.js';

/** A session that is stopping still holds its engine: it counts as lingering until the engine is released. null: not reported. */
const REPORTED: Readonly<Record<SessionState, ReportedSessionState | null>> = {
  starting: 'starting',
  playing: 'playing',
  lingering: 'lingering',
  failing_over: 'failing_over',
  stopping: 'lingering',
  ended: null,
};

/** null for a session that has ended. */
export function toReported(snapshot: SessionSnapshot): ReportedSession | null {
  const state = REPORTED[snapshot.state];
  if (state === null) return null;
  const { engine, playback } = snapshot;
  return {
    stream_id: snapshot.streamId,
    lease_id: engine?.leaseId ?? null,
    container_id: engine?.containerId ?? null,
    host: engine?.address.host ?? '',
    port: engine?.address.port ?? 0,
    key_type: snapshot.keyType,
    key: snapshot.key,
    infohash: snapshot.infohash,
    title: snapshot.title,
    state,
    playback_session_id: playback?.playbackSessionId ?? '',
    stat_url: playback?.statUrl ?? '',
    command_url: playback?.commandUrl ?? '',
    is_live: playback?.isLive ?? true,
    viewers: snapshot.viewers,
    failovers: snapshot.failovers,
    started_at: snapshot.startedAt,
  };
}

/** null when there is nothing to send: the engine is not the orchestrator's, or has not answered yet. */
export function toStartedEvent(snapshot: SessionSnapshot, labels: Record<string, string>): StreamStartedEvent | null {
  const { engine, playback } = snapshot;
  if (engine === null || engine.containerId === null || playback === null) return null;
  return {
    container_id: engine.containerId,
    engine: { ...engine.address },
    stream: { key_type: snapshot.keyType, key: snapshot.key },
    session: {
      playback_session_id: playback.playbackSessionId,
      stat_url: playback.statUrl,
      command_url: playback.commandUrl,
      is_live: playback.isLive ? 1 : 0,
    },
    labels: { ...labels, stream_id: snapshot.streamId },
  };
}
