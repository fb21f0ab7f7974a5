/** The engine's HTTP port: which handler answers which path, and the faults that affect every request. */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineContext } from '../engine-context.js';
import { sendPlaylist, sendSegment } from '../hls/hls.js';
import { Exchange } from './exchange.js';
import { serverApi, webuiService } from './server-api.js';
import { redirectToMedia, runCommand, sendMedia, sendStatistics } from './session-routes.js';
import { REDIRECTED_PATH, StartHandler } from './start.js';

/** The name under which a request is counted: its path without infohash, key and token. */
function routeOf(pathname: string): string {
  const [, first = '', second = '', third = ''] = pathname.split('/');
  if (first === 'content') return '/content';
  return (first === 'ace' || first === 'hls') && third !== '' ? `/${first}/${second}` : pathname;
}

export class EngineHttp {
  readonly server: Server;
  private readonly starts: StartHandler;

  constructor(private readonly engine: EngineContext) {
    this.starts = new StartHandler(engine);
    this.server = createServer((request, response) => {
      this.handle(request, response).catch((error: unknown) => {
        console.error(`request ${request.url} failed: ${error instanceof Error ? error.stack : String(error)}`);
        response.destroy();
      });
    });
    this.server.on('connection', (socket) => {
      if (engine.faults.engineSettings.resetConnections) socket.resetAndDestroy();
    });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { engine } = this;
    const exchange = new Exchange(request, response);
    const { pathname } = exchange.url;
    engine.metrics.request({
      route: routeOf(pathname),
      method: exchange.method,
      url: request.url ?? '',
      at: engine.now(),
      remote: exchange.remote,
    });
    const { hangAll, acceptNoReply, unavailable, slowHttpMs } = engine.faults.engineSettings;
    if (hangAll || acceptNoReply) {
      // No reply: the connection stays open, as with a hung engine.
      engine.metrics.requestsWhileHung += 1;
      return;
    }
    if (unavailable) return exchange.text(503, 'Service Unavailable');
    // The HTTP server of real engines does not support HEAD.
    if (exchange.method === 'HEAD') return exchange.text(501, 'Unsupported method');
    if (slowHttpMs > 0) await delay(slowHttpMs);
    return this.route(exchange, pathname);
  }

  private async route(exchange: Exchange, pathname: string): Promise<void> {
    const { engine } = this;
    switch (pathname) {
      case '/ace/getstream':
      case REDIRECTED_PATH:
        return this.starts.handle(exchange, 'ts');
      case '/ace/manifest.m3u8':
      case '/hls/manifest.m3u8':
        return this.starts.handle(exchange, 'hls');
      case '/server/api':
      case '/service/api':
        return serverApi(exchange, engine);
      case '/webui/api/service':
        return webuiService(exchange, engine);
      default:
        return this.routeByPrefix(exchange, pathname.split('/').slice(1));
    }
  }

  private async routeByPrefix(exchange: Exchange, parts: string[]): Promise<void> {
    const { engine } = this;
    const [first, second = '', third = '', fourth = ''] = parts;
    if (first === 'content') return this.unlessPlaybackHangs(second, () => sendMedia(exchange, engine, second, third));
    switch (`${first}/${second}`) {
      case 'ace/r':
        return this.unlessPlaybackHangs(third, () => redirectToMedia(exchange, engine, third, fourth));
      case 'ace/stat':
        return sendStatistics(exchange, engine, third, fourth);
      case 'ace/cmd':
        return runCommand(exchange, engine, third, fourth);
      case 'ace/m':
      case 'hls/m':
        return this.unlessPlaybackHangs(third, () => sendPlaylist(exchange, engine, third, fourth.replace(/\.m3u8$/, ''), first === 'hls'));
      case 'ace/c':
      case 'hls/c':
        return this.unlessPlaybackHangs(third, () => sendSegment(exchange, engine, third, Number(fourth.replace(/\.ts$/, ''))));
      default:
        return exchange.text(404, 'Not Found');
    }
  }

  private async unlessPlaybackHangs(infohash: string, run: () => void | Promise<void>): Promise<void> {
    const { contents, faults, metrics } = this.engine;
    const content = contents.knows(infohash) ? contents.byInfohash(infohash) : null;
    const { hangPlayback } = content ? faults.settingsOf(content) : faults.engineSettings;
    if (hangPlayback) metrics.requestsWhileHung += 1;
    else await run();
  }
}
