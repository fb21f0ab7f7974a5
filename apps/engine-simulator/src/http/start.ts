/** Start of a playback: /ace/getstream (transport stream) and /ace/manifest.m3u8 (HLS). */
import { setTimeout as delay } from 'node:timers/promises';
import type { Content } from '../contents/content-directory.js';
import type { EngineParts } from '../engine-parts.js';
import type { Knobs } from '../faults/knobs.js';
import type { PlaybackKind } from '../sessions/player.policy.js';
import type { Session } from '../sessions/session.js';
import { StartRefused } from '../sessions/session-registry.js';
import type { Exchange } from './exchange.js';
import { pythonJson } from './python-json.js';

const MAX_PLAYERS = 1000;

type Selection = { content: Content; byId: boolean } | { error: string };

/** Which content the request names; the first selector present wins. */
export function selectContent(exchange: Pick<Exchange, 'query'>, engine: Pick<EngineParts, 'contents' | 'faults'>): Selection {
  const { contents } = engine;
  const id = exchange.query('content_id') ?? exchange.query('id');
  const infohash = exchange.query('infohash');
  const url = exchange.query('url') ?? exchange.query('direct_url');
  const magnet = exchange.query('magnet');
  if (id) {
    const asInfohash = contents.knows(id) ? contents.byInfohash(id) : null;
    const { infohashAsId } = engine.faults.engine;
    if (asInfohash && infohashAsId === 'play') return { content: asInfohash, byId: false };
    if (asInfohash || infohashAsId === 'fail') return { error: 'failed to load content' };
    const content = contents.byId(id);
    return content ? { content, byId: true } : { error: 'failed to load content' };
  }
  const content = infohash ? contents.byInfohash(infohash) : url ? contents.byUrl(url) : magnet ? contents.byMagnet(magnet) : null;
  if (content) return { content, byId: false };
  return { error: infohash || url || magnet ? 'cannot load transport file' : 'missing content id' };
}

export class StartHandler {
  /** The newest start of each player, by which an older one learns that it has been overtaken. */
  private readonly newest = new Map<string, symbol>();

  constructor(private readonly engine: EngineParts) {}

  async handle(exchange: Exchange, kind: PlaybackKind): Promise<void> {
    const { engine } = this;
    engine.counters.starts += 1;
    const asJson = exchange.query('format') === 'json';
    const selection = selectContent(exchange, engine);
    if ('error' in selection) return this.refuse(exchange, asJson, selection.error);
    const { content, byId } = selection;
    const pid = exchange.query('pid') ?? exchange.query('sid') ?? exchange.remote;
    const mine = this.begin(pid);
    const knobs = engine.faults.of(content);
    await delay(knobs.jsonDelayMs + (byId ? knobs.idLookupMs : 0));
    if (this.newest.get(pid) !== mine) return this.refuse(exchange, asJson, 'got newer download');
    this.newest.delete(pid);
    if (knobs.refuseContent !== null) return this.refuse(exchange, asJson, knobs.refuseContent);
    if (knobs.httpStatus !== null) return exchange.reply(knobs.httpStatus, 'text/html', '<html><body>Internal Server Error</body></html>');
    if (knobs.responseNull) return exchange.response200(null);
    let started: { session: Session; key: string };
    try {
      const options = { restart: exchange.query('force_session_restart') === '1', useEvents: exchange.query('use_api_events') === '1' };
      started = engine.sessions.open({ content, kind, pid, ...options });
    } catch (error) {
      if (error instanceof StartRefused) return this.refuse(exchange, asJson, error.message);
      throw error;
    }
    const fields = startReply(started.session, started.key, knobs, knobs.wrongHostInUrls ?? exchange.origin);
    if (!asJson) return exchange.redirect(String(fields.playback_url));
    this.replyJson(exchange, fields, knobs);
  }

  private begin(pid: string): symbol {
    const mine = Symbol(pid);
    this.newest.delete(pid);
    this.newest.set(pid, mine);
    if (this.newest.size > MAX_PLAYERS) this.newest.delete(this.newest.keys().next().value!);
    return mine;
  }

  private refuse(exchange: Exchange, asJson: boolean, error: string): void {
    this.engine.counters.startsRefused += 1;
    if (asJson) exchange.response200(null, error);
    else exchange.text(500, "Internal Server Error, couldn't find resource");
  }

  private replyJson(exchange: Exchange, fields: Record<string, unknown>, knobs: Knobs): void {
    if (knobs.missingField !== null) delete fields[knobs.missingField];
    if (knobs.htmlInsteadOfJson) return exchange.reply(200, 'text/html', '<html><body>AceStream</body></html>');
    if (knobs.truncatedJson) {
      const whole = pythonJson({ response: fields, error: null });
      return exchange.reply(200, 'application/json', whole.slice(0, whole.length / 2));
    }
    exchange.response200(fields);
  }
}

/** The `response` of a start, with addresses under `origin`. */
export function startReply(session: Session, key: string, knobs: Knobs, origin: string): Record<string, unknown> {
  const { infohash, kind } = session;
  return {
    playback_url: kind === 'hls' ? `${origin}/ace/m/${infohash}/${key}.m3u8` : `${origin}/ace/r/${infohash}/${key}`,
    stat_url: `${origin}/ace/stat/${infohash}/${key}`,
    command_url: `${origin}/ace/cmd/${infohash}/${key}`,
    ...(session.useEvents ? { event_url: `${origin}/ace/event/${infohash}/${key}` } : {}),
    infohash,
    playback_session_id: session.playbackSessionId,
    is_live: knobs.live ? 1 : 0,
    is_encrypted: knobs.encrypted ? 1 : 0,
    client_session_id: -1,
  };
}
