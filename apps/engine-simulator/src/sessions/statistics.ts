/** The statistics of a playback, as the engine reports them at stat_url. */
import type { SimulatorSettings } from '../faults/simulator-settings.js';
import { WINDOW_MS } from '../media/layout.js';
import { pseudoRandom } from '../pseudo-random.js';
import type { PlaybackSession } from './playback-session.js';

/** Bytes in one chunk of a download; byte counts are multiples of it. */
const CHUNK_BYTES = 16_384;
/** Peers and speeds change after this time. */
const DRIFT_MS = 5000;
const UPLOAD_SHARE = 0.11;
/** A reader that is further behind the live edge than this is still in its burst. */
const BURST_BEHIND_MS = 3000;

export interface Statistics {
  status: 'prebuf' | 'dl' | 'buf';
  /** 0–100 while prebuffering. */
  progress: number;
  peers: number;
  /** kB/s. */
  speedDown: number;
  speedUp: number;
  /** Bytes. */
  downloaded: number;
  uploaded: number;
  /** Unix seconds; null while prebuffering and for contents that are not live. */
  livepos: { first: number; last: number; pos: number } | null;
}

const chunks = (bytes: number): number => Math.floor(bytes / CHUNK_BYTES) * CHUNK_BYTES;

/** Whether the content never delivers anything. */
export function isDead(settings: SimulatorSettings): boolean {
  return settings.prebufMode === 'hold-forever' || settings.prebufMode === 'http500-forever';
}

/** `now` and `edgeTime` (the newest media that the engine has) are Unix ms. */
export function computeStatistics(
  session: PlaybackSession,
  settings: SimulatorSettings,
  now: number,
  edgeTime: number,
  starving: boolean,
): Statistics {
  const drift = pseudoRandom(Math.floor(now / DRIFT_MS) + Number.parseInt(session.infohash.slice(0, 6), 16));
  const peers = settings.peers === 0 ? 0 : Math.max(1, Math.round(settings.peers + (drift - 0.5) * 4));
  if (isDead(settings) || (starving && session.firstByteAt === null))
    return {
      status: 'prebuf',
      progress: 0,
      peers: isDead(settings) ? 0 : peers,
      speedDown: 0,
      speedUp: 0,
      downloaded: 0,
      uploaded: 0,
      livepos: null,
    };
  const rate = settings.bitrate / 8; // bytes per second
  const total = session.readyAt - session.createdAt;
  const part = total <= 0 ? 1 : Math.min(1, (now - session.createdAt) / total);
  const ready = part >= 1;
  const stalled = session.stalledSince !== null || starving;
  const until = session.stalledSince ?? now;
  const pace = Math.min(1, settings.rateFactor);
  const behind = session.positionTime === null ? 0 : edgeTime - session.positionTime;
  const burst = ready && behind > BURST_BEHIND_MS && pace === 1 ? settings.burstFactor : 1;
  const downloaded = chunks(part * settings.burstSec * rate + Math.max(0, (until - session.readyAt) / 1000) * rate * pace);
  const speedDown = stalled ? 0 : Math.round((rate / 1000) * (1 + drift * 0.2) * pace * burst);
  const frozenAt = settings.loopAfterMs !== null && session.firstByteAt !== null ? session.firstByteAt + settings.loopAfterMs : Infinity;
  const last = Math.floor(Math.min(edgeTime, frozenAt) / 1000);
  const pos = session.positionTime === null ? last - settings.burstSec : Math.floor(session.positionTime / 1000);
  return {
    status: !ready ? 'prebuf' : stalled ? 'buf' : 'dl',
    progress: Math.floor(part * 100),
    peers,
    speedDown,
    speedUp: Math.round(speedDown * UPLOAD_SHARE),
    downloaded,
    uploaded: chunks(downloaded * UPLOAD_SHARE),
    livepos: ready && settings.live ? { first: last - WINDOW_MS / 1000, last, pos: Math.min(last, Math.floor(pos)) } : null,
  };
}

/** livepos as the engine writes it: every value is a string. */
function liveposFields({ first, last, pos }: NonNullable<Statistics['livepos']>): Record<string, string> {
  return {
    last: String(last),
    live_first: String(first),
    pos: String(pos),
    first_ts: String(first),
    last_ts: String(last),
    is_live: '1',
    live_last: String(last),
    buffer_pieces: '15',
  };
}

/** The `response` of stat_url. */
export function statReply(session: PlaybackSession, statistics: Statistics, settings: SimulatorSettings): Record<string, unknown> {
  const { livepos, status } = statistics;
  return {
    uploaded: statistics.uploaded,
    network_monitor_status: 0,
    debug_level: 0,
    disk_cache_stats: { avail: 3_199_156_224, disk_cache_limit: 2_266_017_044, inactive_inuse: 0, active_inuse: statistics.downloaded },
    speed_down: statistics.speedDown,
    speed_up: statistics.speedUp,
    network_monitor_started: false,
    selected_stream_index: 0,
    total_progress: 0,
    stream_status: -1,
    client_session_id: -1,
    status,
    downloaded: statistics.downloaded,
    manifest_access_mode: -1,
    peers: statistics.peers,
    playback_session_id: session.playbackSessionId,
    is_encrypted: settings.encrypted ? 1 : 0,
    is_live: settings.live ? 1 : 0,
    infohash: session.infohash,
    selected_file_index: -1,
    ...(status === 'prebuf' ? { progress: statistics.progress } : {}),
    ...(livepos ? { livepos: liveposFields(livepos) } : {}),
  };
}
