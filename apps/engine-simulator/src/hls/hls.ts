/** HLS: the playlist /ace/m/<infohash>/<key>.m3u8 and its segments /ace/c/<infohash>/<n>.ts, with the older paths /hls/m and /hls/c. */
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineContext } from '../engine-context.js';
import type { Exchange } from '../http/exchange.js';
import type { PlaybackSession } from '../sessions/playback-session.js';
import { isDead } from '../sessions/statistics.js';
import { GROUPS_PER_SEGMENT, type PlaylistWindow, findSegment, firstSegment, playlistWindow, renderPlaylist } from './hls.plan.js';

const PLAYLIST_TYPE = 'application/vnd.apple.mpegurl';
const WAIT_STEP_MS = 100;

/** Sends the playlist. The first request waits until there are segments. */
export async function sendPlaylist(
  exchange: Exchange,
  engine: EngineContext,
  infohash: string,
  key: string,
  variant: boolean,
): Promise<void> {
  const lookup = engine.sessions.find(infohash, key);
  if (lookup.state === 'unknown') return exchange.text(404, 'Not Found');
  if (lookup.state === 'superseded') return exchange.text(403, 'Forbidden');
  if (lookup.state !== 'active' || lookup.session.kind !== 'hls') return exchange.text(500, 'failed to get manifest');
  const { session } = lookup;
  const settings = engine.faults.settingsOf(session.content);
  session.touch(engine.now());
  if (settings.hlsForbidden) return exchange.text(403, 'Forbidden');
  if (settings.hlsMasterPlaylist && !variant) return exchange.reply(200, PLAYLIST_TYPE, masterPlaylist(exchange, engine, session, key));
  while (
    session.state === 'active' &&
    !exchange.response.destroyed &&
    (engine.now() < session.readyAt ||
      isDead(engine.faults.settingsOf(session.content)) ||
      (session.firstByteAt === null && engine.network.isStarving(session.content)))
  ) {
    await delay(WAIT_STEP_MS);
    session.touch(engine.now());
  }
  if (session.state !== 'active') return exchange.text(session.state === 'superseded' ? 403 : 500, 'failed to get manifest');
  session.firstByteAt ??= engine.now();
  const origin = engine.faults.settingsOf(session.content).hlsRelativeUrls ? '' : exchange.origin;
  exchange.reply(
    200,
    PLAYLIST_TYPE,
    renderPlaylist(windowOf(engine, session), (number) => `${origin}/${variant ? 'hls' : 'ace'}/c/${infohash}/${number}.ts`),
  );
}

function masterPlaylist(exchange: Exchange, engine: EngineContext, session: PlaybackSession, key: string): string {
  const { bitrate, hlsRelativeUrls } = engine.faults.settingsOf(session.content);
  const variant = `${hlsRelativeUrls ? '' : exchange.origin}/hls/m/${session.infohash}/${key}.m3u8`;
  // Some sources have a URL in an attribute. The audio rendition has the same segments as the picture.
  const audio = `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="main",DEFAULT=YES,URI="${variant}"`;
  return `#EXTM3U\n#EXT-X-VERSION:3\n${audio}\n#EXT-X-STREAM-INF:BANDWIDTH=${bitrate},AUDIO="audio"\n${variant}\n`;
}

function baseOf(engine: EngineContext, session: PlaybackSession): number {
  return firstSegment(session.readyAt - engine.faults.engineSettings.skewMs);
}

function windowOf(engine: EngineContext, session: PlaybackSession): PlaylistWindow {
  const { hlsFrozenAfterMs, hlsWindow, hlsAbsoluteSequence } = engine.faults.settingsOf(session.content);
  const frozenAt = hlsFrozenAfterMs === null ? Infinity : session.readyAt + hlsFrozenAfterMs;
  session.stalledSince = engine.network.isStarving(session.content) ? (session.stalledSince ?? engine.now()) : null;
  const starvingFrom = session.stalledSince === null ? Infinity : session.stalledSince - engine.faults.engineSettings.skewMs;
  const edgeTime = Math.min(engine.broadcasts.edgeTime(), frozenAt, starvingFrom);
  return playlistWindow(baseOf(engine, session), edgeTime, hlsWindow, hlsAbsoluteSequence);
}

/** Sends a segment: the same bytes to every reader. */
export async function sendSegment(exchange: Exchange, engine: EngineContext, infohash: string, number: number): Promise<void> {
  const session = engine.sessions.findHls(infohash);
  if (!session) return exchange.text(404, 'Not Found');
  session.touch(engine.now());
  const settings = engine.faults.settingsOf(session.content);
  if (settings.hlsSegmentDelayMs > 0) await delay(settings.hlsSegmentDelayMs);
  const base = baseOf(engine, session);
  const found =
    Number.isInteger(number) && !settings.hlsSegment404
      ? findSegment(base, windowOf(engine, session), number, settings.hlsAbsoluteSequence)
      : null;
  if (found === null) return exchange.text(404, 'Not Found');
  const timeline = engine.broadcasts.timelineOf(session.content);
  const from = timeline.groupStart(found * GROUPS_PER_SEGMENT);
  const bytes = timeline.read(from, timeline.groupStart((found + 1) * GROUPS_PER_SEGMENT) - from);
  session.bytesSent += bytes.length;
  engine.metrics.bytesSent += bytes.length;
  exchange.reply(200, 'video/mp2t', bytes);
}
