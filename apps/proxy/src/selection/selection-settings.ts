import { Setting, SettingsGroup } from '@acexy/service-kit/settings';

const SCHEMES = ['http'] as const;

/** Where engines come from: the orchestrator, and the fallback engine. */
@SettingsGroup('Orchestrator and fallback engine')
export class SelectionSettings {
  @Setting({ name: 'ACEXY_ORCH_URL', type: 'url', help: 'URL of the orchestrator; without it only the fallback engine is used' })
  orchestratorUrl?: string;

  @Setting({ name: 'ACEXY_ORCH_APIKEY', type: 'string', secret: true, help: 'API key of the orchestrator (its `API_KEY`)' })
  orchestratorApiKey?: string;

  @Setting({
    name: 'ACEXY_ORCH_TIMEOUT',
    type: 'duration',
    default: '3s',
    min: '1ms',
    help: 'Timeout of one request to the orchestrator; the wait for a free engine is limited by `ACEXY_START_TIMEOUT`',
  })
  orchestratorTimeoutMs!: number;

  @Setting({
    name: 'ACEXY_ENGINE_CACHE_TTL_S',
    type: 'seconds',
    max: 3600,
    default: '5',
    help: 'Seconds that the engine list is used before it is requested again',
  })
  engineCacheTtlMs!: number;

  @Setting({
    name: 'ACEXY_MAX_STREAMS_PER_ENGINE',
    type: 'integer',
    min: 1,
    max: 100,
    default: '1',
    help: 'Maximum number of streams on one engine if the proxy itself selects from the engine list; the fallback engine has no limit',
  })
  maxStreamsPerEngine!: number;

  @Setting({
    name: 'ACEXY_SCHEME',
    type: 'choice',
    choices: SCHEMES,
    default: 'http',
    help: 'Scheme of the fallback engine; engines speak plain HTTP',
  })
  scheme!: (typeof SCHEMES)[number];

  @Setting({
    name: 'ACEXY_HOST',
    type: 'string',
    default: 'localhost',
    help: 'Host of the fallback engine, used while no orchestrator is available',
  })
  fallbackHost!: string;

  @Setting({ name: 'ACEXY_PORT', type: 'port', default: '6878', help: 'HTTP port of the fallback engine' })
  fallbackPort!: number;
}
