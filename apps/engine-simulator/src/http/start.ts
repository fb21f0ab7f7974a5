/** Starts a playback: /ace/getstream (transport stream) and /ace/manifest.m3u8 (HLS). */
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Content } from '../catalog/content-catalog.js';
import type { EngineContext } from '../engine-context.js';
import type { SimulatorSettings } from '../faults/simulator-settings.js';
import type { PlaybackKind } from '../sessions/player.policy.js';
import type { PlaybackSession } from '../sessions/playback-session.js';
import type { Exchange } from './exchange.js';
import { pythonJson } from './python-json.js';

const MAX_PLAYERS = 1000;
const PATH = '/ace/getstream';
/** Where `startRedirect` leads. */
export const REDIRECTED_PATH = '/ace/v2/getstream';

type Selection = { content: Content; byId: boolean } | { error: string };

/** The content that the request names. If it has both selectors, the content id applies. */
function selectContent(exchange: Exchange, { contents, faults }: EngineContext): Selection {
  const id = exchange.query('content_id') ?? exchange.query('id');
  const infohash = exchange.query('infohash');
  if (id) {
    const asInfohash = contents.knows(id) ? contents.byInfohash(id) : null;
    const { infohashAsId } = faults.engineSettings;
    if (asInfohash && infohashAsId === 'play') return { content: asInfohash, byId: false };
    const content = asInfohash || infohashAsId === 'fail' ? null : contents.byId(id);
    return content ? { content, byId: true } : { error: 'failed to load content' };
  }
  if (!infohash) return { error: 'missing content id' };
  const content = contents.byInfohash(infohash);
  return content ? { content, byId: false } : { error: 'cannot load transport file' };
}

export class StartHandler {
  /** The newest start of each player. An older start of the same player fails. */
  private readonly newest = new Map<string, symbol>();

  constructor(private readonly engine: EngineContext) {}

  async handle(exchange: Exchange, kind: PlaybackKind): Promise<void> {
    const { engine } = this;
    engine.metrics.starts += 1;
    const asJson = exchange.query('format') === 'json';
    const selection = selectContent(exchange, engine);
    if ('error' in selection) return this.refuse(exchange, asJson, selection.error);
    const { content, byId } = selection;
    const pid = exchange.query('pid') ?? exchange.query('sid') ?? exchange.remote;
    const start = this.begin(pid);
    const settings = engine.faults.settingsOf(content);
    await delay(settings.jsonDelayMs + (byId ? settings.idLookupMs : 0));
    if (this.newest.get(pid) !== start) return this.refuse(exchange, asJson, 'got newer download');
    this.newest.delete(pid);
    if (settings.refuseContent !== null) return this.refuse(exchange, asJson, settings.refuseContent);
    if (settings.httpStatus !== null)
      return exchange.reply(settings.httpStatus, 'text/html', '<html><body>Internal Server Error</body></html>');
    if (settings.responseNull) return exchange.envelope(null);
    if (settings.startRedirect && exchange.url.pathname === PATH) return exchange.redirect(`${REDIRECTED_PATH}${exchange.url.search}`);
    const started = engine.sessions.open({ content, kind, pid });
    if (started === null) return this.refuse(exchange, asJson, 'failed to start');
    const fields = startReply(started.session, started.key, settings, settings.wrongHostInUrls ?? exchange.origin);
    if (!asJson) return exchange.redirect(String(fields.playback_url));
    this.replyJson(exchange, fields, settings);
  }

  private begin(pid: string): symbol {
    const start = Symbol(pid);
    this.newest.delete(pid);
    this.newest.set(pid, start);
    if (this.newest.size > MAX_PLAYERS) this.newest.delete(this.newest.keys().next().value!);
    return start;
  }

  private refuse(exchange: Exchange, asJson: boolean, error: string): void {
    this.engine.metrics.startsRefused += 1;
    if (asJson) exchange.envelope(null, error);
    else exchange.text(500, "Internal Server Error, couldn't find resource");
  }

  private replyJson(exchange: Exchange, fields: Record<string, unknown>, settings: SimulatorSettings): void {
    if (settings.missingField !== null) delete fields[settings.missingField];
    if (settings.htmlInsteadOfJson) return exchange.reply(200, 'text/html', '<html><body>AceStream</body></html>');
    if (settings.truncatedJson) {
      const json = pythonJson({ response: fields, error: null });
      return exchange.reply(200, 'application/json', json.slice(0, json.length / 2));
    }
    const json = pythonJson({ response: fields, error: null });
    if (settings.compressed) exchange.reply(200, 'application/json', gzipSync(json), { 'Content-Encoding': 'gzip' });
    else exchange.reply(200, 'application/json', json);
  }
}

/** The `response` of a start, with URLs under `origin`. */
function startReply(session: PlaybackSession, key: string, settings: SimulatorSettings, origin: string): Record<string, unknown> {
  const { infohash, kind } = session;
  return {
    playback_url: kind === 'hls' ? `${origin}/ace/m/${infohash}/${key}.m3u8` : `${origin}/ace/r/${infohash}/${key}`,
    stat_url: `${origin}/ace/stat/${infohash}/${key}`,
    command_url: `${origin}/ace/cmd/${infohash}/${key}`,
    infohash,
    playback_session_id:
      settings.sessionId === 'number' ? Number.parseInt(session.playbackSessionId.slice(0, 8), 16) : session.playbackSessionId,
    is_live: settings.live ? 1 : 0,
    is_encrypted: settings.encrypted ? 1 : 0,
    client_session_id: -1,
  };
}
