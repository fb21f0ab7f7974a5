/** The URLs of a running playback: playback_url with its media, stat_url and command_url. */
import type { EngineContext } from '../engine-context.js';
import { StreamReader } from '../reader/stream-reader.js';
import type { PlaybackSession } from '../sessions/playback-session.js';
import { computeStatistics, statReply } from '../sessions/statistics.js';
import type { Exchange } from './exchange.js';

const UNKNOWN_SESSION = 'unknown playback session id';

/** /ace/r/<infohash>/<key>: redirects to the media, or answers 500 as an engine does that has none (yet). */
export function redirectToMedia(exchange: Exchange, engine: EngineContext, infohash: string, key: string): void {
  const lookup = engine.sessions.find(infohash, key);
  if (lookup.state === 'unknown') return exchange.text(404, 'Not Found');
  if (lookup.state !== 'active' || lookup.session.kind !== 'ts') return exchange.text(500, 'download not found');
  const { session } = lookup;
  const settings = engine.faults.settingsOf(session.content);
  if (settings.encrypted) return exchange.text(500, 'download not found');
  if (settings.prebufMode === 'http500-forever') return exchange.text(500, 'start timeout');
  if (settings.prebufMode === 'http500-then-ok' && engine.now() < session.readyAt) return exchange.text(500, 'download not found');
  session.touch(engine.now());
  exchange.redirect(`${exchange.origin}/content/${infohash}/${session.newToken(key)}`);
}

/** /content/<infohash>/<token>: the media, for one reader at a time. */
export function sendMedia(exchange: Exchange, engine: EngineContext, infohash: string, token: string): void {
  const session = engine.sessions.findByToken(infohash, token);
  if (!session) return exchange.text(500, 'download not found');
  const key = session.tokens.get(token)!;
  const { secondReader } = engine.faults.settingsOf(session.content);
  if (session.readersOf(key) === 0 || secondReader === 'shared') new StreamReader(engine, session, key, exchange.response).start();
  else if (secondReader === 'reject500') exchange.text(500, 'download not found');
  else {
    // Engine 3.2.3 sends two status lines, which no HTTP parser accepts.
    engine.metrics.corruptReplies += 1;
    exchange.request.socket.end('HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n');
  }
}

/** A poll of the statistics does not keep a session open: only reading does. */
export function sendStatistics(exchange: Exchange, engine: EngineContext, infohash: string, key: string): void {
  const session = activeSession(exchange, engine, infohash, key);
  if (!session) return;
  const settings = engine.faults.settingsOf(session.content);
  const starving = engine.network.isStarving(session.content);
  const statistics = computeStatistics(session, settings, engine.now(), engine.broadcasts.edgeTime(), starving);
  exchange.envelope(statReply(session, statistics, settings));
}

export function runCommand(exchange: Exchange, engine: EngineContext, infohash: string, key: string): void {
  const method = exchange.query('method');
  if (method === 'stop') return stop(exchange, engine, infohash, key);
  if (activeSession(exchange, engine, infohash, key)) exchange.envelope(null, 'unknown method');
}

function stop(exchange: Exchange, engine: EngineContext, infohash: string, key: string): void {
  engine.metrics.stops += 1;
  const session = activeSession(exchange, engine, infohash, key);
  if (!session) {
    engine.metrics.stopsOfUnknownSessions += 1;
    return;
  }
  const settings = engine.faults.settingsOf(session.content);
  if (settings.stopHangs) return;
  if (settings.stopError !== null) return exchange.envelope(null, settings.stopError);
  engine.sessions.end(session, 'stopped');
  exchange.envelope('ok');
}

/** The session, or null after a reply that it is unknown. */
function activeSession(exchange: Exchange, engine: EngineContext, infohash: string, key: string): PlaybackSession | null {
  const lookup = engine.sessions.find(infohash, key);
  if (lookup.state === 'active') return lookup.session;
  exchange.envelope(null, engine.faults.engineSettings.unknownSessionError ?? UNKNOWN_SESSION);
  return null;
}
