/** /server/api (and its documented twin /service/api), /webui/api/service and /search. */
import type { Content } from '../contents/content-directory.js';
import type { EngineParts } from '../engine-parts.js';
import type { Exchange } from './exchange.js';
import { selectContent } from './start.js';

/** major·10^6 + minor·10^4 + patch·100; what follows the patch number (rc4) does not count. */
function versionCode(version: string): number {
  const [major, minor, patch] = version.split('.').map((part) => Number.parseInt(part, 10));
  return major * 1_000_000 + minor * 10_000 + patch * 100;
}

const WEBSOCKET_PORT = 37_293;

function versionFields(version: string) {
  return { code: versionCode(version), platform: 'linux', version };
}

function isLocal(exchange: Exchange): boolean {
  return exchange.remote === '127.0.0.1' || exchange.remote === '::1';
}

export function webuiService(exchange: Exchange, engine: EngineParts): void {
  const { version } = engine.faults.engine;
  switch (exchange.query('method')) {
    case 'get_version':
      return exchange.json({
        result: { ...versionFields(version), ...(version.startsWith('3.2') ? { websocket_port: WEBSOCKET_PORT } : {}) },
        error: null,
      });
    case 'get_api_access_token':
      return exchange.json(
        isLocal(exchange) ? { result: { token: engine.accessToken }, error: null } : { result: null, error: 'access denied' },
      );
    default:
      return exchange.json({ result: null, error: 'unknown method' });
  }
}

type ApiResult = { result: unknown } | { error: string };

export function serverApi(exchange: Exchange, engine: EngineParts): void {
  const isV3 = exchange.query('api_version') === '3';
  const outcome = callApi(exchange, engine, isV3);
  if ('error' in outcome) exchange.json(isV3 ? { error: { message: outcome.error, code: 0 } } : { result: null, error: outcome.error });
  else exchange.json(isV3 ? { result: outcome.result } : { result: outcome.result, error: null });
}

function callApi(exchange: Exchange, engine: EngineParts, isV3: boolean): ApiResult {
  const method = exchange.query('method');
  switch (method) {
    case 'get_status':
      return { result: { playlist_loaded: true, version: versionFields(engine.faults.engine.version) } };
    case 'get_network_connection_status':
      return { result: { connected: engine.network.connected } };
    case 'get_api_access_token':
      return isLocal(exchange) ? { result: { token: engine.accessToken } } : { error: 'access denied' };
    case 'get_media_files':
      return withContent(exchange, engine, (content) => ({ result: isV3 ? mediaFiles(content, engine) : { 0: content.title } }));
    case 'get_content_id':
      return withContent(exchange, engine, (content) =>
        content.id ? { result: { content_id: content.id } } : { error: 'failed to get content id' },
      );
    case 'analyze_content':
      return analyze(exchange.query('query') ?? '', engine);
    case 'analyze_content_multi':
      return {
        result: exchange.url.searchParams.getAll('query').map((query) => {
          const outcome = analyze(query, engine);
          return 'error' in outcome ? { error: { message: outcome.error, code: 0 } } : outcome.result;
        }),
      };
    case 'get_available_players':
      return { result: { players: [] } };
    case 'open_in_player':
      return { result: 'ok' };
    case 'search':
      return privately(exchange, engine, () => ({ result: searchResult(exchange, engine) }));
    case 'set_allow_remote_access':
    case 'set_allow_intranet_access':
    case 'trim_memory':
    case 'set_debug_level':
      return privately(exchange, engine, () => ({ result: 'ok' }));
    case 'playlist_add_item':
      return privately(exchange, engine, () => ({ result: 1 }));
    case 'playlist_update_item':
      return privately(exchange, engine, () => ({ result: true }));
    default:
      return { error: 'unknown method' };
  }
}

function privately(exchange: Exchange, engine: EngineParts, run: () => ApiResult): ApiResult {
  return exchange.query('token') === engine.accessToken ? run() : { error: 'access denied' };
}

function withContent(exchange: Exchange, engine: EngineParts, run: (content: Content) => ApiResult): ApiResult {
  const selection = selectContent(exchange, engine);
  if ('error' in selection) return { error: selection.error };
  const { refuseContent } = engine.faults.of(selection.content);
  return refuseContent === null ? run(selection.content) : { error: refuseContent };
}

function mediaFiles(content: Content, engine: EngineParts) {
  return {
    files: [{ index: 0, filename: content.title }],
    name: content.title,
    infohash: content.infohash,
    transport_type: 'bt',
    type: engine.faults.of(content).live ? 'live' : 'vod',
    transport_file_cache_key: null,
  };
}

/** `acestream:?infohash=…`, `acestream://<id>` or an address. */
function analyze(query: string, engine: EngineParts): ApiResult {
  const infohash = /^acestream:\?(?:.*&)?infohash=([0-9a-f]{40})/i.exec(query)?.[1];
  const id = /^acestream:(?:\/\/|\?(?:.*&)?content_id=)([0-9a-f]{40})/i.exec(query)?.[1];
  const content = infohash ? engine.contents.byInfohash(infohash) : id ? engine.contents.byId(id) : engine.contents.byUrl(query);
  if (!content) return { error: 'unknown protocol' };
  return {
    result: {
      is_live: engine.faults.of(content).live ? 1 : 0,
      item_url: null,
      transport_type: 'bt',
      content_type: 'transport_file',
      title: content.title,
      content_id: content.id,
      infohash: content.infohash,
      categories: ['entertaining'],
    },
  };
}

const MAX_PAGE_SIZE = 200;

/** Search gives infohashes, never content ids. */
export function searchResult(exchange: Exchange, engine: EngineParts) {
  const wanted = (exchange.query('query') ?? '').toLowerCase();
  const pageSize = Math.min(MAX_PAGE_SIZE, Math.max(1, Number(exchange.query('page_size')) || 10));
  const page = Math.max(0, Number(exchange.query('page')) || 0);
  const found = engine.contents.all().filter((content) => content.title.toLowerCase().includes(wanted));
  const results = found.slice(page * pageSize, (page + 1) * pageSize).map((content, index) => ({
    name: content.title,
    icons: [],
    items: [
      {
        status: engine.faults.of(content).peers > 0 ? 2 : 1,
        languages: ['eng'],
        name: content.title,
        countries: ['gb'],
        infohash: content.infohash,
        channel_id: page * pageSize + index + 1,
        availability: engine.faults.of(content).peers > 0 ? 1.0 : 0.0,
        availability_updated_at: Math.floor(engine.now() / 1000),
        categories: ['tv'],
        bitrate: Math.round(engine.faults.of(content).bitrate / 8),
      },
    ],
  }));
  return { total: found.length, results, time: 0.0012 };
}
