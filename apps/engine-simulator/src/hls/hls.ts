/** The HLS side of a playback: /ace/m/<infohash>/<key>.m3u8 and /ace/c/<infohash>/<n>.ts, with the old names /hls/m and /hls/c. */
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineParts } from '../engine-parts.js';
import type { Exchange } from '../http/exchange.js';
import type { Session } from '../sessions/session.js';
import { isDead } from '../sessions/stat.js';
import { GROUPS_PER_SEGMENT, type PlaylistWindow, findSegment, firstSegment, playlistWindow, renderPlaylist } from './hls.plan.js';

const PLAYLIST_TYPE = 'application/vnd.apple.mpegurl';
const WAIT_STEP_MS = 100;

/** The playlist. The first request is held until there are segments. */
export async function playlist(exchange: Exchange, engine: EngineParts, infohash: string, key: string, variant: boolean): Promise<void> {
  const lookup = engine.sessions.find(infohash, key);
  if (lookup.found === 'never') return exchange.text(404, 'Not Found');
  if (lookup.found === 'superseded') return exchange.text(403, 'Forbidden');
  if (lookup.found !== 'active' || lookup.session.kind !== 'hls') return exchange.text(500, 'failed to get manifest');
  const { session } = lookup;
  const knobs = engine.faults.of(session.content);
  session.touch(engine.now());
  if (knobs.hlsForbidden) return exchange.text(403, 'Forbidden');
  if (knobs.hlsMasterPlaylist && !variant) return exchange.reply(200, PLAYLIST_TYPE, masterPlaylist(exchange, engine, session, key));
  while (
    session.state === 'active' &&
    !exchange.response.destroyed &&
    (engine.now() < session.readyAt ||
      isDead(engine.faults.of(session.content)) ||
      (session.firstByteAt === null && engine.network.starves(session.content)))
  ) {
    await delay(WAIT_STEP_MS);
    session.touch(engine.now());
  }
  if (session.state !== 'active') return exchange.text(session.state === 'superseded' ? 403 : 500, 'failed to get manifest');
  session.firstByteAt ??= engine.now();
  const origin = engine.faults.of(session.content).hlsRelativeUrls ? '' : exchange.origin;
  exchange.reply(
    200,
    PLAYLIST_TYPE,
    renderPlaylist(windowOf(engine, session), (number) => `${origin}/${variant ? 'hls' : 'ace'}/c/${infohash}/${number}.ts`),
  );
}

function masterPlaylist(exchange: Exchange, engine: EngineParts, session: Session, key: string): string {
  const { bitrate, hlsRelativeUrls } = engine.faults.of(session.content);
  const variant = `${hlsRelativeUrls ? '' : exchange.origin}/hls/m/${session.infohash}/${key}.m3u8`;
  // An address in an attribute, as some sources have it; the sound of the one rendition is in the picture's own segments.
  const audio = `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="main",DEFAULT=YES,URI="${variant}"`;
  return `#EXTM3U\n#EXT-X-VERSION:3\n${audio}\n#EXT-X-STREAM-INF:BANDWIDTH=${bitrate},AUDIO="audio"\n${variant}\n`;
}

function baseOf(engine: EngineParts, session: Session): number {
  return firstSegment(session.readyAt - engine.faults.engine.skewMs);
}

function windowOf(engine: EngineParts, session: Session): PlaylistWindow {
  const { hlsFrozenAfterMs, hlsWindow, hlsAbsoluteSequence } = engine.faults.of(session.content);
  const frozenAt = hlsFrozenAfterMs === null ? Infinity : session.readyAt + hlsFrozenAfterMs;
  session.stalledSince = engine.network.starves(session.content) ? (session.stalledSince ?? engine.now()) : null;
  const starvedAt = session.stalledSince === null ? Infinity : session.stalledSince - engine.faults.engine.skewMs;
  const edgeTime = Math.min(engine.broadcasts.edgeTime(), frozenAt, starvedAt);
  return playlistWindow(baseOf(engine, session), edgeTime, hlsWindow, hlsAbsoluteSequence);
}

/** A segment: the same bytes for everyone. */
export async function segment(exchange: Exchange, engine: EngineParts, infohash: string, number: number): Promise<void> {
  const session = engine.sessions.findHls(infohash);
  if (!session) return exchange.text(404, 'Not Found');
  session.touch(engine.now());
  const knobs = engine.faults.of(session.content);
  if (knobs.hlsSegmentDelayMs > 0) await delay(knobs.hlsSegmentDelayMs);
  const base = baseOf(engine, session);
  const found =
    Number.isInteger(number) && !knobs.hlsSegment404
      ? findSegment(base, windowOf(engine, session), number, knobs.hlsAbsoluteSequence)
      : null;
  if (found === null) return exchange.text(404, 'Not Found');
  const timeline = engine.broadcasts.timelineOf(session.content);
  const from = timeline.groupStart(found * GROUPS_PER_SEGMENT);
  const bytes = timeline.read(from, timeline.groupStart((found + 1) * GROUPS_PER_SEGMENT) - from);
  session.bytesSent += bytes.length;
  engine.counters.bytesSent += bytes.length;
  exchange.reply(200, 'video/mp2t', bytes);
}
