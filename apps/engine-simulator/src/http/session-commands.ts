/** What can be asked and told about a running playback: stat_url, command_url and event_url. */
import type { EngineParts } from '../engine-parts.js';
import type { Dependant, Session } from '../sessions/session.js';
import { statReply, statisticsOf } from '../sessions/stat.js';
import { type Exchange, UNKNOWN_SESSION } from './exchange.js';

/** How long an event poll is held open where there is nothing to tell. */
const EVENT_HOLD_MS = 10_000;
const EVENT_STEP_MS = 100;

function activeSession(exchange: Exchange, engine: EngineParts, infohash: string, key: string): Session | null {
  const lookup = engine.sessions.find(infohash, key);
  if (lookup.found === 'active') return lookup.session;
  exchange.response200(null, UNKNOWN_SESSION);
  return null;
}

/** Polling the statistics is no reading: it does not keep a playback alive. */
export function stat(exchange: Exchange, engine: EngineParts, infohash: string, key: string): void {
  const session = activeSession(exchange, engine, infohash, key);
  if (!session) return;
  const knobs = engine.faults.of(session.content);
  const statistics = statisticsOf(session, knobs, engine.now(), engine.broadcasts.edgeTime(), engine.network.starves(session.content));
  exchange.response200(statReply(session, statistics, knobs));
}

export function command(exchange: Exchange, engine: EngineParts, infohash: string, key: string): void {
  const method = exchange.query('method');
  if (method === 'stop') return stop(exchange, engine, infohash, key);
  const session = activeSession(exchange, engine, infohash, key);
  if (!session) return;
  switch (method) {
    case 'set_player_activity_timeout': {
      const seconds = Number(exchange.query('timeout'));
      if (!(seconds > 0)) return exchange.response200(null, 'bad timeout');
      session.idleMs = seconds * 1000;
      return exchange.response200('ok');
    }
    case 'liveseek':
    case 'set_stream':
      // One quality and a live edge are all there is, so both leave the playback as it is.
      return exchange.response200('ok');
    default:
      return exchange.response200(null, 'unknown method');
  }
}

function stop(exchange: Exchange, engine: EngineParts, infohash: string, key: string): void {
  engine.counters.stops += 1;
  const lookup = engine.sessions.find(infohash, key);
  if (lookup.found !== 'active') {
    engine.counters.stopsOfUnknownSessions += 1;
    return exchange.response200(null, UNKNOWN_SESSION);
  }
  const knobs = engine.faults.of(lookup.session.content);
  if (knobs.stopHangs) return;
  if (knobs.stopError !== null) return exchange.response200(null, knobs.stopError);
  engine.sessions.end(lookup.session, 'stopped');
  exchange.response200('ok');
}

/** Long poll: the next event, null after a while without one, or the end of the session. */
export function events(exchange: Exchange, engine: EngineParts, infohash: string, key: string): void {
  const session = activeSession(exchange, engine, infohash, key);
  if (session) new EventPoll(exchange, session).start();
}

class EventPoll implements Dependant {
  private timer: NodeJS.Timeout | null = null;
  private waited = 0;

  constructor(
    private readonly exchange: Exchange,
    private readonly session: Session,
  ) {}

  start(): void {
    this.session.dependants.add(this);
    this.exchange.response.once('close', () => this.release());
    this.timer = setInterval(() => this.step(), EVENT_STEP_MS);
    this.step();
  }

  sessionEnded(): void {
    this.answer(null, UNKNOWN_SESSION);
  }

  private step(): void {
    const event = this.session.events.shift();
    this.waited += EVENT_STEP_MS;
    if (event) this.answer(event, null);
    else if (this.waited > EVENT_HOLD_MS) this.answer(null, null);
  }

  private answer(response: unknown, error: string | null): void {
    this.release();
    this.exchange.response200(response, error);
  }

  private release(): void {
    if (this.timer) clearInterval(this.timer);
    this.session.dependants.delete(this);
  }
}
