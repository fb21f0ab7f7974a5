import {
  LOG_FORMATS,
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
  parseOrigins,
  type PortRange,
  Setting,
  type SettingFault,
} from '@acexy/service-kit';
import { databaseFile } from './database/database-url.js';
import { parseManagementLabel } from './provisioning/management-label.js';
import { parseEngineCommand } from './runtime/process/engine-command.js';
import { dockerEndpoint } from './runtime/docker/docker-endpoint.js';
import { VpnSettings } from './vpn/vpn-settings.js';

/** The settings of the orchestrator; durations are milliseconds here, whatever unit the variable has. */
export class OrchestratorSettings extends VpnSettings {
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
    name: 'MAX_CONCURRENT_PROVISIONS',
    type: 'integer',
    min: 1,
    max: 100,
    default: '5',
    help: 'Engines that are started at the same time',
  })
  maxConcurrentProvisions!: number;

  @Setting({
    name: 'MIN_PROVISION_INTERVAL_S',
    aliases: ['PROVISION_INTERVAL_S'],
    type: 'seconds',
    max: 600,
    default: '0.5',
    help: 'Least time between the starts of two engines',
  })
  minProvisionIntervalMs!: number;

  @Setting({
    name: 'PROVISION_TIMEOUT_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '120',
    help: 'Limit of a whole provision, the wait in the queue included',
  })
  provisionTimeoutMs!: number;

  @Setting({
    name: 'PROVISION_STARTUP_GRACE_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '30',
    help: 'Time from a running engine until its API must have answered',
  })
  startupGraceMs!: number;

  @Setting({
    name: 'STARTUP_TIMEOUT_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '25',
    help: 'Limit of creating and starting, until the engine runs',
  })
  startupTimeoutMs!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_THRESHOLD',
    aliases: ['CIRCUIT_BREAKER_FAILURE_THRESHOLD'],
    type: 'integer',
    min: 1,
    max: 1000,
    default: '5',
    help: 'Failed provisions in a row that stop further ones',
  })
  circuitBreakerThreshold!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_TIMEOUT_S',
    aliases: ['CIRCUIT_BREAKER_RECOVERY_TIMEOUT_S'],
    type: 'seconds',
    min: 0.1,
    max: 86_400,
    default: '300',
    help: 'How long they stay stopped before one is tried',
  })
  circuitBreakerTimeoutMs!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_REPLACEMENT_THRESHOLD',
    type: 'integer',
    min: 1,
    max: 1000,
    default: '3',
    help: 'The same for engines started in place of unhealthy ones',
  })
  replacementBreakerThreshold!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_REPLACEMENT_TIMEOUT_S',
    type: 'seconds',
    min: 0.1,
    max: 86_400,
    default: '180',
    help: 'How long those stay stopped before one is tried',
  })
  replacementBreakerTimeoutMs!: number;

  @Setting({
    name: 'MAX_RETRIES',
    type: 'integer',
    min: 0,
    max: 100,
    default: '3',
    help: 'How often a failed call to an engine or a failed look at Docker is repeated before its next regular time',
  })
  maxRetries!: number;

  @Setting({
    name: 'RETRY_BACKOFF_S',
    type: 'seconds',
    max: 600,
    default: '2',
    help: 'Pause before the first repetition, doubled each time',
  })
  retryBackoffMs!: number;

  @Setting({
    name: 'HEALTH_CHECK_INTERVAL_S',
    type: 'seconds',
    min: 0.1,
    max: 3600,
    default: '30',
    help: 'Time between two probes of an engine',
  })
  healthCheckIntervalMs!: number;

  @Setting({ name: 'HEALTH_CHECK_TIMEOUT_S', type: 'seconds', min: 0.1, max: 600, default: '5', help: 'Limit of one probe' })
  healthCheckTimeoutMs!: number;

  @Setting({
    name: 'HEALTH_FAILURE_THRESHOLD',
    type: 'integer',
    min: 1,
    max: 100,
    default: '3',
    help: 'Failed probes in a row that make an engine unhealthy',
  })
  healthFailureThreshold!: number;

  @Setting({
    name: 'HEALTH_UNHEALTHY_GRACE_PERIOD_S',
    type: 'seconds',
    max: 86_400,
    default: '60',
    help: 'How long an engine stays unhealthy before it is drained and removed',
  })
  unhealthyGraceMs!: number;

  @Setting({
    name: 'HEALTH_REPLACEMENT_COOLDOWN_S',
    type: 'seconds',
    max: 86_400,
    default: '60',
    help: 'Least time between the replacements of two unhealthy engines',
  })
  replacementCooldownMs!: number;

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
