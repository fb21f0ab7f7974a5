/** A stream in the words of the report and of the events. Pure. */
import type { ReportedSession, ReportedSessionState, StreamStartedEvent } from '@acexy/contracts';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';
import type { SessionState } from '../sessions/session-state.js';

/** null for a stream that is over. */
export function toReported(snapshot: SessionSnapshot): ReportedSession | null {
  const state = reportedState(snapshot.state);
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

/** A stream that is being stopped still holds its engine: it counts as lingering until the engine has been given back. */
function reportedState(state: SessionState): ReportedSessionState | null {
  switch (state) {
    case 'starting':
    case 'playing':
    case 'lingering':
    case 'failing_over':
      return state;
    case 'stopping':
      return 'lingering';
    case 'ended':
      return null;
    default: {
      const unknown: never = state;
      throw new TypeError(`no such state: ${String(unknown)}`);
    }
  }
}

/** null while there is nothing to tell: no engine of the orchestrator, or no answer of it yet. */
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
