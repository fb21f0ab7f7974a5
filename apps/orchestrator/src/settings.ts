import {
  LOG_FORMATS,
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
  parseOrigins,
  type PortRange,
  Setting,
  type SettingFault,
  SettingsGroup,
} from '@acexy/service-kit';
import { databaseFile } from './database/database-url.js';
import { HealthSettings } from './health/health-settings.js';
import { parseManagementLabel } from './provisioning/management-label.js';
import { parseEngineCommand } from './runtime/process/engine-command.js';
import { dockerEndpoint } from './runtime/docker/docker-endpoint.js';

/** The settings of the orchestrator; durations are milliseconds here, whatever unit the variable has. */
@SettingsGroup('The service, the pool and what is remembered')
export class OrchestratorSettings extends HealthSettings {
  @Setting({ name: 'APP_PORT', type: 'port', default: '8000', help: 'Port of the REST API' })
  port!: number;

  @Setting({ name: 'APP_HOST', type: 'string', help: 'Address to listen on; every interface by default' })
  host?: string;

  @Setting({ name: 'API_KEY', type: 'string', secret: true, help: 'Key of the protected calls' })
  apiKey?: string;

  @Setting({ name: 'AUTH', type: 'choice', choices: ['key', 'open'], default: 'key', help: 'open: the protected calls need no key' })
  auth!: 'key' | 'open';

  @Setting({
    name: 'CORS_ORIGINS',
    type: 'string',
    help: 'Sites whose scripts may call the API (https://tv.example,…; * for all); none by default',
  })
  corsOrigins?: string;

  @Setting({
    name: 'MAX_CONNECTIONS',
    type: 'integer',
    min: 1,
    max: 1_000_000,
    default: '2000',
    help: 'Connections to the API at the same time; more are closed at once',
  })
  maxConnections!: number;

  @Setting({ name: 'LOG_LEVEL', type: 'choice', choices: LOG_LEVELS, default: 'INFO', help: 'Least level that is logged' })
  logLevel!: LogLevel;

  @Setting({
    name: 'LOG_FORMAT',
    type: 'choice',
    choices: LOG_FORMATS,
    default: 'json',
    help: 'json: one object a line; text: for a terminal',
  })
  logFormat!: LogFormat;

  @Setting({
    name: 'DB_URL',
    type: 'string',
    default: 'sqlite:///./orchestrator.db',
    help: 'The database, relative to the folder the service starts in',
  })
  dbUrl!: string;

  @Setting({ name: 'ENGINE_RUNTIME', type: 'choice', choices: ['process', 'docker'], default: 'process', help: 'How engines are run' })
  engineRuntime!: 'process' | 'docker';

  @Setting({
    name: 'STOP_ENGINES_ON_EXIT',
    type: 'boolean',
    default: 'false',
    help: 'Remove all engines and containers when the service ends; otherwise they run on and the next start takes them over',
  })
  stopEnginesOnExit!: boolean;

  @Setting({
    name: 'DATA_DIR',
    type: 'string',
    default: './data',
    help: 'Folder of the process runtime: what runs, state and logs of engines',
  })
  dataDir!: string;

  @Setting({
    name: 'ENGINE_COMMAND',
    type: 'string',
    help: 'Command of an engine in the process runtime, with {http_port} {https_port} {api_port} {p2p_port} {name} {state_dir}; the simulator by default',
  })
  engineCommand?: string;

  @Setting({
    name: 'CONTAINER_LABEL',
    type: 'string',
    default: 'orchestrator.managed=acestream',
    help: 'Label of every engine we manage, key=value',
  })
  containerLabel!: string;

  @Setting({ name: 'MIN_REPLICAS', type: 'integer', min: 0, max: 10_000, default: '3', help: 'Free engines kept ready' })
  minReplicas!: number;

  @Setting({ name: 'MAX_REPLICAS', type: 'integer', min: 1, max: 10_000, default: '20', help: 'Engines there may be in all' })
  maxReplicas!: number;

  @Setting({ name: 'MAX_STREAMS_PER_ENGINE', type: 'integer', min: 1, max: 100, default: '1', help: 'Streams that one engine may carry' })
  maxStreamsPerEngine!: number;

  @Setting({
    name: 'AUTOSCALE_INTERVAL_S',
    type: 'seconds',
    min: 0.1,
    max: 86_400,
    default: '30',
    help: 'Longest time between two rounds of the reconcile loop',
  })
  autoscaleIntervalMs!: number;

  @Setting({
    name: 'ENGINE_GRACE_PERIOD_S',
    type: 'seconds',
    max: 86_400,
    default: '30',
    help: 'How long a surplus engine stays idle before it is removed',
  })
  engineGracePeriodMs!: number;

  @Setting({ name: 'IDLE_TTL_S', type: 'seconds', max: 604_800, default: '600', help: 'The same where AUTO_DELETE is false' })
  idleTtlMs!: number;

  @Setting({
    name: 'AUTO_DELETE',
    type: 'boolean',
    default: 'true',
    help: 'Remove surplus engines soon (ENGINE_GRACE_PERIOD_S) or late (IDLE_TTL_S)',
  })
  autoDelete!: boolean;

  @Setting({
    name: 'MONITOR_INTERVAL_S',
    type: 'seconds',
    min: 0.1,
    max: 3600,
    default: '10',
    help: 'Longest time between two looks at all engines of the runtime',
  })
  monitorIntervalMs!: number;

  @Setting({
    name: 'COLLECT_INTERVAL_S',
    type: 'seconds',
    min: 0.1,
    max: 3600,
    default: '5',
    help: 'Time between two questions to the engines how their streams do',
  })
  collectIntervalMs!: number;

  @Setting({
    name: 'STATS_HISTORY_MAX',
    type: 'integer',
    min: 1,
    max: 100_000,
    default: '720',
    help: 'Answers to that question kept of each stream',
  })
  statsHistoryMax!: number;

  @Setting({
    name: 'STREAM_HISTORY_DAYS',
    type: 'number',
    min: 0.01,
    max: 3650,
    default: '30',
    help: 'Days that an ended stream is remembered',
  })
  streamHistoryDays!: number;

  @Setting({
    name: 'STREAM_HISTORY_MAX',
    type: 'integer',
    min: 1,
    max: 1_000_000,
    default: '10000',
    help: 'Ended streams that are remembered at most, the newest',
  })
  streamHistoryMax!: number;

  @Setting({ name: 'API_REQUEST_TIMEOUT_S', type: 'seconds', min: 1, max: 3600, default: '30', help: 'Limit of any call of the REST API' })
  apiRequestTimeoutMs!: number;

  @Setting({
    name: 'API_LONG_OPERATION_TIMEOUT_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '60',
    help: 'The same for calls that remove engines',
  })
  apiLongOperationTimeoutMs!: number;

  @Setting({ name: 'PORT_RANGE_HOST', type: 'port-range', default: '19000-19999', help: 'HTTP ports of engines on the host' })
  portRangeHost!: PortRange;

  @Setting({ name: 'ACE_HTTPS_RANGE', type: 'port-range', default: '45000-49999', help: 'HTTPS ports of engines' })
  httpsRange!: PortRange;

  @Setting({ name: 'ACE_API_RANGE', type: 'port-range', default: '35000-35999', help: 'Line API ports of engines that share a network' })
  apiRange!: PortRange;

  @Setting({ name: 'ACE_P2P_RANGE', type: 'port-range', default: '36000-36999', help: 'P2P ports of engines' })
  p2pRange!: PortRange;

  @Setting({
    name: 'ENGINE_CACHE_LIMIT_GB',
    type: 'integer',
    min: 1,
    max: 10_000,
    default: '1',
    help: 'Gigabytes of disk cache that one engine may fill (CACHE_LIMIT of its image)',
  })
  engineCacheLimitGb!: number;

  @Setting({ name: 'ENGINE_HOST', type: 'string', help: 'What proxies connect to, whatever the runtime says' })
  engineHost?: string;

  /** How many engines there may be, wherever they are: behind a VPN its own limit holds, too. */
  get engineLimit(): number {
    const vpns = this.vpnContainers.length;
    return vpns === 0 ? this.maxReplicas : Math.min(this.maxReplicas, vpns * this.maxActiveReplicas);
  }

  faults(): SettingFault[] {
    const faults: SettingFault[] = [];
    if (this.maxReplicas < this.minReplicas) {
      faults.push({
        name: 'MIN_REPLICAS',
        value: String(this.minReplicas),
        problem: `must not be more than MAX_REPLICAS (${this.maxReplicas})`,
      });
    }
    faults.push(...faultOf('DB_URL', this.dbUrl, databaseFile), ...faultOf('CONTAINER_LABEL', this.containerLabel, parseManagementLabel));
    faults.push(...this.vpnFaults(this.engineRuntime));
    const vpnPorts = this.vpnContainers.length * this.maxActiveReplicas;
    if (vpnPorts > this.portRangeHost.last - this.portRangeHost.first + 1) {
      faults.push({
        name: 'PORT_RANGE_HOST',
        value: `${this.portRangeHost.first}-${this.portRangeHost.last}`,
        problem: `must have ${vpnPorts} ports: MAX_ACTIVE_REPLICAS (${this.maxActiveReplicas}) for each VPN`,
      });
    }
    if (this.corsOrigins) faults.push(...faultOf('CORS_ORIGINS', this.corsOrigins, parseOrigins));
    if (this.dockerHost) faults.push(...faultOf('DOCKER_HOST', this.dockerHost, dockerEndpoint));
    if (this.engineCommand) faults.push(...faultOf('ENGINE_COMMAND', this.engineCommand, parseEngineCommand));
    return faults;
  }
}

/** What the parser of a part of the service has against a value. */
function faultOf(name: string, value: string, parse: (value: string) => unknown): SettingFault[] {
  try {
    parse(value);
    return [];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [{ name, value, problem: error.message }];
  }
}
