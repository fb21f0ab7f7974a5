/** The engine's HTTP port: which handler answers which address, and the faults that concern HTTP as a whole. */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineParts } from '../engine-parts.js';
import { playlist, segment } from '../hls/hls.js';
import { AdminHandler } from './admin.js';
import { Exchange } from './exchange.js';
import { content, playback } from './playback.js';
import { searchResult, serverApi, webuiService } from './server-api.js';
import { command, events, stat } from './session-commands.js';
import { StartHandler } from './start.js';

/** How a request is counted: the address without what varies. */
export function routeOf(pathname: string): string {
  const [, first = '', second = '', third = ''] = pathname.split('/');
  if (first === 'content') return '/content';
  if (first === 'webui') return second === 'app' ? '/webui/app' : pathname;
  if ((first === 'ace' || first === 'hls') && third !== '') return `/${first}/${second}`;
  return pathname;
}

export class EngineHttp {
  readonly server: Server;
  private readonly starts: StartHandler;
  private readonly admin: AdminHandler;

  constructor(private readonly engine: EngineParts) {
    this.starts = new StartHandler(engine);
    this.admin = new AdminHandler(engine);
    this.server = createServer((request, response) => {
      this.handle(request, response).catch((error: unknown) => {
        console.error(`request ${request.url} failed: ${error instanceof Error ? error.stack : String(error)}`);
        response.destroy();
      });
    });
    this.server.on('connection', (socket) => {
      if (engine.faults.engine.resetConnections) socket.resetAndDestroy();
    });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { engine } = this;
    const exchange = new Exchange(request, response);
    const { pathname } = exchange.url;
    engine.counters.request({
      route: routeOf(pathname),
      method: exchange.method,
      url: request.url ?? '',
      at: engine.now(),
      remote: exchange.remote,
    });
    const { hangAll, acceptNoReply, unavailable, slowHttpMs } = engine.faults.engine;
    if (hangAll || acceptNoReply) {
      // The connection stays open and silent, as a hung engine's does.
      engine.counters.requestsWhileHung += 1;
      return;
    }
    if (unavailable) return exchange.text(503, 'Service Unavailable');
    // The engine's HTTP server knows no HEAD.
    if (exchange.method === 'HEAD') return exchange.text(501, 'Unsupported method');
    if (slowHttpMs > 0) await delay(slowHttpMs);
    return this.route(exchange, pathname);
  }

  private async route(exchange: Exchange, pathname: string): Promise<void> {
    const { engine } = this;
    switch (pathname) {
      case '/ace/getstream':
        return this.starts.handle(exchange, 'ts');
      case '/ace/manifest.m3u8':
      case '/hls/manifest.m3u8':
        return this.starts.handle(exchange, 'hls');
      case '/server/api':
      case '/service/api':
        return serverApi(exchange, engine);
      case '/webui/api/service':
        return webuiService(exchange, engine);
      case '/search':
        return exchange.json({ result: searchResult(exchange, engine) });
      case '/settings/get':
      case '/settings/set':
        return this.admin.settingsPage(exchange, pathname.slice('/settings/'.length));
      case '/api/v1/settings':
        return this.admin.patchSettings(exchange);
      default:
        return this.routeByParts(exchange, pathname.split('/').slice(1));
    }
  }

  private async routeByParts(exchange: Exchange, parts: string[]): Promise<void> {
    const { engine } = this;
    const [first, second = '', third = '', ...rest] = parts;
    if (first === 'content') return this.unlessPlaybackHangs(second, () => content(exchange, engine, second, third));
    if (first === 'webui' && second === 'app') return this.admin.webuiApp(exchange, third, rest);
    if (first === 'app') return second === engine.accessToken ? exchange.json({ result: 'ok' }) : exchange.text(403, 'access denied');
    const [fourth = ''] = rest;
    switch (`${first}/${second}`) {
      case 'ace/r':
        return this.unlessPlaybackHangs(third, () => playback(exchange, engine, third, fourth));
      case 'ace/stat':
        return stat(exchange, engine, third, fourth);
      case 'ace/cmd':
        return command(exchange, engine, third, fourth);
      case 'ace/event':
        return events(exchange, engine, third, fourth);
      case 'ace/m':
      case 'hls/m':
        return this.unlessPlaybackHangs(third, () => playlist(exchange, engine, third, fourth.replace(/\.m3u8$/, ''), first === 'hls'));
      case 'ace/c':
      case 'hls/c':
        return this.unlessPlaybackHangs(third, () => segment(exchange, engine, third, Number(fourth.replace(/\.ts$/, ''))));
      default:
        return exchange.text(404, 'Not Found');
    }
  }

  private async unlessPlaybackHangs(infohash: string, run: () => void | Promise<void>): Promise<void> {
    const known = this.engine.contents.knows(infohash) ? this.engine.contents.byInfohash(infohash) : null;
    const knobs = known ? this.engine.faults.of(known) : this.engine.faults.engine;
    if (knobs.hangPlayback) {
      this.engine.counters.requestsWhileHung += 1;
      return;
    }
    await run();
  }
}
