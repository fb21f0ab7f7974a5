/** Status and content queries: /webui/api/service and /server/api, with the documented alias /service/api. */
import type { EngineContext } from '../engine-context.js';
import type { Exchange } from './exchange.js';

const WEBSOCKET_PORT = 37_293;

function versionFields(version: string) {
  const [major, minor, patch] = version.split('.').map((part) => Number.parseInt(part, 10));
  return { code: major * 1_000_000 + minor * 10_000 + patch * 100, platform: 'linux', version };
}

export function webuiService(exchange: Exchange, engine: EngineContext): void {
  if (exchange.query('method') !== 'get_version') return exchange.json({ result: null, error: 'unknown method' });
  const { version } = engine.faults.engineSettings;
  const websocketPort = version.startsWith('3.2') ? { websocket_port: WEBSOCKET_PORT } : {};
  exchange.json({ result: { ...versionFields(version), ...websocketPort }, error: null });
}

type ApiResult = { result: unknown } | { error: string };

export function serverApi(exchange: Exchange, engine: EngineContext): void {
  const outcome = callApi(exchange, engine);
  const isV3 = exchange.query('api_version') === '3';
  if ('error' in outcome) exchange.json(isV3 ? { error: { message: outcome.error, code: 0 } } : { result: null, error: outcome.error });
  else exchange.json(isV3 ? outcome : { ...outcome, error: null });
}

function callApi(exchange: Exchange, engine: EngineContext): ApiResult {
  switch (exchange.query('method')) {
    case 'get_status':
      return { result: { playlist_loaded: true, version: versionFields(engine.faults.engineSettings.version) } };
    case 'get_network_connection_status':
      return { result: { connected: engine.network.connected } };
    case 'analyze_content':
      return analyze(exchange.query('query') ?? '', engine);
    default:
      return { error: 'unknown method' };
  }
}

/** `query` is `acestream:?infohash=…` or `acestream:?content_id=…` (documented), the bare content id, or `acestream://<id>`. */
function analyze(query: string, engine: EngineContext): ApiResult {
  const { analyzeForms } = engine.faults.engineSettings;
  const documented = analyzeForms !== 'bare';
  const infohash = documented && /^acestream:\?(?:.*&)?infohash=([0-9a-f]{40})/i.exec(query)?.[1];
  const id =
    (documented && /^acestream:\?(?:.*&)?content_id=([0-9a-f]{40})/i.exec(query)?.[1]) ||
    (analyzeForms !== 'documented' && /^([0-9a-f]{40})$/i.exec(query)?.[1]) ||
    (analyzeForms === 'all' && /^acestream:\/\/([0-9a-f]{40})/i.exec(query)?.[1]);
  const content = infohash ? engine.contents.byInfohash(infohash) : id ? engine.contents.byId(id) : null;
  if (!content) return { error: 'unknown protocol' };
  return {
    result: {
      is_live: engine.faults.settingsOf(content).live ? 1 : 0,
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
