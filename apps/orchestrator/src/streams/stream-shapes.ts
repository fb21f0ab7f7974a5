import { type EngineAddress, rehostEngineUrl } from '@acexy/engine-client';
import type { ReportedSession, StreamStartedEvent, StreamState, StreamStatSnapshot } from '@acexy/contracts';
import { StreamRow } from '../database/stream-row.entity.js';
import { isoTime, isoTimeOrNull } from '../engines/engine-state.js';
import type { StatSample } from './stat-book.js';
import { eventStreamId, type TrackedStream } from './stream-book.js';

export function toStreamState(stream: TrackedStream): StreamState {
  return {
    id: stream.id,
    key_type: stream.keyType,
    key: stream.key,
    infohash: stream.infohash,
    title: stream.title,
    container_id: stream.containerId,
    playback_session_id: stream.playbackSessionId,
    stat_url: stream.statUrl,
    command_url: stream.commandUrl,
    is_live: stream.isLive,
    started_at: isoTime(stream.startedAt),
    ended_at: isoTimeOrNull(stream.endedAt),
    status: stream.endedAt === null ? 'started' : 'ended',
  };
}

export function toStatSnapshot({ ts, speedDown, speedUp, ...rest }: StatSample): StreamStatSnapshot {
  return { ts: isoTime(ts), speed_down: speedDown, speed_up: speedUp, ...rest };
}

export function fromEvent(event: StreamStartedEvent, containerId: string, address: EngineAddress, now: number): TrackedStream {
  const { stream, session } = event;
  return {
    id: eventStreamId(event),
    keyType: stream.key_type,
    key: stream.key,
    infohash: stream.key_type === 'infohash' ? stream.key.toLowerCase() : null,
    title: null,
    containerId,
    proxyId: null,
    leaseId: null,
    playbackSessionId: session.playback_session_id,
    statUrl: onEngine(session.stat_url, address),
    commandUrl: onEngine(session.command_url, address),
    isLive: session.is_live === 1,
    startedAt: now,
    endedAt: null,
    endReason: null,
  };
}

export function fromReport(
  session: ReportedSession,
  proxyId: string,
  containerId: string,
  address: EngineAddress,
  now: number,
): TrackedStream {
  return {
    id: session.stream_id,
    keyType: session.key_type,
    key: session.key,
    infohash: session.infohash?.toLowerCase() ?? null,
    title: session.title ?? null,
    containerId,
    proxyId,
    leaseId: session.lease_id ?? null,
    playbackSessionId: session.playback_session_id,
    statUrl: onEngine(session.stat_url, address),
    commandUrl: onEngine(session.command_url, address),
    isLive: session.is_live,
    // The clock of the proxy may be ahead.
    startedAt: Math.min(now, Date.parse(session.started_at)),
    endedAt: null,
    endReason: null,
  };
}

export function toRow({ leaseId: _leaseId, ...stream }: TrackedStream): StreamRow {
  return Object.assign(new StreamRow(), stream, {
    startedAt: isoTime(stream.startedAt),
    endedAt: isoTimeOrNull(stream.endedAt),
    status: stream.endedAt === null ? ('started' as const) : ('ended' as const),
  });
}

export function fromRow(row: StreamRow): TrackedStream {
  const { status: _status, startedAt, endedAt, ...rest } = row;
  return { ...rest, leaseId: null, startedAt: Date.parse(startedAt), endedAt: endedAt === null ? null : Date.parse(endedAt) };
}

/** Keeps only the path of a URL from a client: host and port are the engine's. Empty if it is not a URL. */
function onEngine(url: string, address: EngineAddress): string {
  if (url === '') return '';
  try {
    return rehostEngineUrl(url, address).href;
  } catch (error) {
    if (error instanceof TypeError) return '';
    throw error;
  }
}
