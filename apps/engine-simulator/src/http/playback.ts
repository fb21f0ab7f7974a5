/** The progressive stream: /ace/r/<infohash>/<key> leads to /content/<infohash>/<random>, which has room for one reader. */
import type { EngineParts } from '../engine-parts.js';
import { StreamReader } from '../flow/stream-reader.js';
import type { Session } from '../sessions/session.js';
import type { Exchange } from './exchange.js';

/** /ace/r/…: the way to the stream, or an engine's 500 where there is none (yet). */
export function playback(exchange: Exchange, engine: EngineParts, infohash: string, key: string): void {
  const lookup = engine.sessions.find(infohash, key);
  if (lookup.found === 'never') return exchange.text(404, 'Not Found');
  if (lookup.found !== 'active' || lookup.session.kind !== 'ts') return exchange.text(500, 'download not found');
  const { session } = lookup;
  const knobs = engine.faults.of(session.content);
  if (knobs.encrypted) return exchange.text(500, 'download not found');
  if (knobs.prebufMode === 'http500-forever') return exchange.text(500, 'start timeout');
  if (knobs.prebufMode === 'http500-then-ok' && engine.now() < session.readyAt) return exchange.text(500, 'download not found');
  session.touch(engine.now());
  exchange.redirect(`${exchange.origin}/content/${infohash}/${session.newToken(key)}`);
}

/** /content/…: the stream itself. */
export function content(exchange: Exchange, engine: EngineParts, infohash: string, token: string): void {
  const session = engine.sessions.findByToken(infohash, token);
  if (!session) return exchange.text(500, 'download not found');
  const key = session.tokens.get(token)!;
  if (session.readersOf(key) > 0) return secondReader(exchange, engine, session, key);
  new StreamReader(engine, session, key, exchange.response).start();
}

function secondReader(exchange: Exchange, engine: EngineParts, session: Session, key: string): void {
  const { secondReader: manner } = engine.faults.of(session.content);
  switch (manner) {
    case 'shared':
      return new StreamReader(engine, session, key, exchange.response).start();
    case 'reject500':
      return exchange.text(500, 'download not found');
    case 'corrupt':
      // What engine 3.2.3 was seen to do: two status lines, which no HTTP parser takes.
      engine.counters.corruptReplies += 1;
      exchange.request.socket.end('HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n');
      return;
    default:
      return manner satisfies never;
  }
}
