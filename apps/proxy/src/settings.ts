import {
  type ListenAddress,
  LOG_FORMATS,
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
  parseOrigins,
  Setting,
  type SettingFault,
  SettingsGroup,
} from '@acexy/service-kit';
import { AccessSettings } from './http/access-settings.js';
import { parseSources } from './playlists/sources.policy.js';
import { type BroadcastSettings, DEFAULT_BROADCAST_SETTINGS } from './broadcast/broadcast.js';

const SCHEMES = ['http'] as const;
const JOIN_MODES = ['keyframe', 'live', 'oldest'] as const;
const MAX_DRAIN_MS = 24 * 3_600_000;

/** The settings of the proxy; durations are milliseconds here, whatever unit the variable has. */
@SettingsGroup('Engines, and what is kept of a stream')
export class ProxySettings extends AccessSettings {
  @Setting({ name: 'ACEXY_LISTEN_ADDR', aliases: ['ACEXY_ADDR'], type: 'address', default: ':8080', help: 'Where viewers connect' })
  listen!: ListenAddress;

  @Setting({
    name: 'ACEXY_CORS_ORIGINS',
    type: 'string',
    help: 'Sites whose scripts may play from here (https://tv.example,…; * for all); none by default',
  })
  corsOrigins?: string;

  @Setting({
    name: 'ACEXY_MAX_CONNECTIONS',
    type: 'integer',
    min: 1,
    max: 1_000_000,
    default: '10000',
    help: 'Connections at the same time, one for each viewer; more are closed at once',
  })
  maxConnections!: number;

  @Setting({
    name: 'ACEXY_LOG_LEVEL',
    aliases: ['LOG_LEVEL'],
    type: 'choice',
    choices: LOG_LEVELS,
    default: 'INFO',
    help: 'Least level that is logged',
  })
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
    name: 'ACEXY_DATA_DIR',
    aliases: ['DATA_DIR'],
    type: 'string',
    default: './data',
    help: 'Folder in which the proxy keeps the id by which the orchestrator knows it',
  })
  dataDir!: string;

  @Setting({
    name: 'ACEXY_SCHEME',
    type: 'choice',
    choices: SCHEMES,
    default: 'http',
    help: 'Scheme of the fallback engine; engines speak plain HTTP',
  })
  scheme!: (typeof SCHEMES)[number];

  @Setting({ name: 'ACEXY_HOST', type: 'string', default: 'localhost', help: 'The engine to use when no orchestrator can be asked' })
  fallbackHost!: string;

  @Setting({ name: 'ACEXY_PORT', type: 'port', default: '6878', help: 'HTTP port of that engine' })
  fallbackPort!: number;

  @Setting({ name: 'ACEXY_ORCH_URL', type: 'url', help: 'The orchestrator; without one only the fallback engine is used' })
  orchestratorUrl?: string;

  @Setting({ name: 'ACEXY_ORCH_APIKEY', type: 'string', secret: true, help: 'Its API_KEY' })
  orchestratorApiKey?: string;

  @Setting({
    name: 'ACEXY_ORCH_TIMEOUT',
    type: 'duration',
    default: '3s',
    help: 'Limit of one exchange with the orchestrator, not of the wait for an engine',
  })
  orchestratorTimeoutMs!: number;

  @Setting({
    name: 'ACEXY_ENGINE_CACHE_TTL_S',
    type: 'seconds',
    max: 3600,
    default: '5',
    help: 'How long the engine list is used before it is asked for again',
  })
  engineCacheTtlMs!: number;

  @Setting({
    name: 'ACEXY_MAX_STREAMS_PER_ENGINE',
    type: 'integer',
    min: 1,
    max: 100,
    default: '1',
    help: 'Streams on one engine, where the proxy chooses from the engine list itself; the fallback engine takes any number',
  })
  maxStreamsPerEngine!: number;

  @Setting({ name: 'ACEXY_CONTAINER_ID', type: 'string', help: "The proxy's own container, as a label of the events it sends" })
  containerId?: string;

  @Setting({ name: 'ACEXY_NO_RESPONSE_TIMEOUT', type: 'duration', default: '20s', help: "Limit of an engine's reply to a start" })
  noResponseTimeoutMs!: number;

  @Setting({
    name: 'ACEXY_FIRST_BYTE_TIMEOUT',
    type: 'duration',
    default: '30s',
    help: 'Limit from that reply to the first packet of the stream',
  })
  firstByteTimeoutMs!: number;

  @Setting({
    name: 'ACEXY_START_TIMEOUT',
    type: 'duration',
    default: '60s',
    help: 'Limit of a start: all engines tried, and the wait for one',
  })
  startTimeoutMs!: number;

  @Setting({
    name: 'ACEXY_STALL_TIMEOUT',
    type: 'duration',
    help: 'Silence in mid-stream that means the stream is lost; by default 5 to 10 s, after the gaps seen (10 to 15 s below 1.5 Mb/s). At half of it another engine is made ready',
  })
  stallTimeoutMs?: number;

  @Setting({
    name: 'ACEXY_EMPTY_TIMEOUT',
    type: 'duration',
    default: '1m',
    help: 'How long viewers of a lost stream are kept without bytes while another engine is looked for; 0: not at all',
  })
  emptyTimeoutMs!: number;

  @Setting({
    name: 'ACEXY_FAILOVER_BACKOFF',
    type: 'duration',
    default: '250ms',
    help: 'Pause before the second engine is tried for a lost stream; it doubles with every further one …',
  })
  failoverPauseMs!: number;

  @Setting({ name: 'ACEXY_FAILOVER_BACKOFF_MAX', type: 'duration', default: '5s', help: '… up to this' })
  failoverPauseMaxMs!: number;

  @Setting({
    name: 'ACEXY_DRAIN_TIMEOUT',
    type: 'duration',
    default: '5s',
    help: 'How long viewers may watch on after the proxy was told to end, while no new ones are taken; 0: not at all',
  })
  drainTimeoutMs!: number;

  @Setting({ name: 'ACEXY_LINGER', type: 'duration', default: '5s', help: 'How long a stream goes on after its last viewer' })
  lingerMs!: number;

  @Setting({ name: 'ACEXY_BUFFER_MAX', type: 'size', default: '32MiB', help: 'Most bytes of stream kept for viewers who join or lag' })
  bufferMaxBytes!: number;

  @Setting({
    name: 'ACEXY_BUFFER',
    aliases: ['ACEXY_BUFFER_SIZE'],
    type: 'size',
    default: '4.2MiB',
    help: 'Bytes that may be kept at the least: raises ACEXY_BUFFER_MAX where it is larger. Nobody waits for it to fill',
  })
  bufferMinBytes!: number;

  @Setting({ name: 'ACEXY_BUFFER_SECONDS', type: 'number', min: 2, max: 600, default: '60', help: 'Most seconds of stream kept' })
  bufferSeconds!: number;

  @Setting({
    name: 'ACEXY_STEP_SIZE',
    type: 'size',
    default: '256KiB',
    help: 'The live edge is handed out in steps of at most this size …',
  })
  stepBytes!: number;

  @Setting({ name: 'ACEXY_STEP_TIME', type: 'duration', default: '250ms', help: '… or this time, whichever comes first' })
  stepMs!: number;

  @Setting({
    name: 'ACEXY_JOIN',
    type: 'choice',
    choices: JOIN_MODES,
    default: 'keyframe',
    help: 'Where a viewer joins: at a keyframe ACEXY_JOIN_SECONDS back, at the newest one (live), or at the oldest one',
  })
  joinMode!: (typeof JOIN_MODES)[number];

  @Setting({
    name: 'ACEXY_JOIN_SECONDS',
    type: 'number',
    min: 0,
    max: 60,
    default: '1',
    help: 'Stream a joining viewer is given at once; restreamers on ffmpeg want 5',
  })
  joinSeconds!: number;

  @Setting({
    name: 'ACEXY_PLAYLIST_SOURCES',
    type: 'string',
    help: 'Playlists that /playlist.m3u may fetch: URLs, comma-separated; one that ends with a slash stands for all below it',
  })
  playlistSources?: string;

  faults(): SettingFault[] {
    const positive: [string, number | undefined][] = [
      ['ACEXY_ORCH_TIMEOUT', this.orchestratorTimeoutMs],
      ['ACEXY_NO_RESPONSE_TIMEOUT', this.noResponseTimeoutMs],
      ['ACEXY_FIRST_BYTE_TIMEOUT', this.firstByteTimeoutMs],
      ['ACEXY_START_TIMEOUT', this.startTimeoutMs],
      ['ACEXY_STALL_TIMEOUT', this.stallTimeoutMs],
      ['ACEXY_FAILOVER_BACKOFF', this.failoverPauseMs],
      ['ACEXY_STEP_TIME', this.stepMs],
      ['ACEXY_ALTERNATIVE_AFTER', this.alternativeAfterMs],
      ['ACEXY_CLIENT_STALL', this.clientStallMs],
      ['ACEXY_M3U8_STREAM_TIMEOUT', this.m3u8StreamTimeoutMs],
    ];
    const faults = positive
      .filter(([, ms]) => ms !== undefined && ms < 1)
      .map(([name, ms]) => ({ name, value: `${ms}ms`, problem: 'must be at least 1ms' }));
    if (this.failoverPauseMaxMs < this.failoverPauseMs) {
      faults.push({
        name: 'ACEXY_FAILOVER_BACKOFF_MAX',
        value: `${this.failoverPauseMaxMs}ms`,
        problem: 'must not be less than ACEXY_FAILOVER_BACKOFF',
      });
    }
    if (this.drainTimeoutMs > MAX_DRAIN_MS) {
      faults.push({ name: 'ACEXY_DRAIN_TIMEOUT', value: `${this.drainTimeoutMs}ms`, problem: 'must be at most 24h' });
    }
    faults.push(...this.hlsFaults(), ...this.accessFaults());
    try {
      parseSources(this.playlistSources ?? '');
    } catch (error) {
      faults.push({ name: 'ACEXY_PLAYLIST_SOURCES', value: this.playlistSources ?? '', problem: (error as Error).message });
    }
    if (this.stepBytes < 4096) faults.push({ name: 'ACEXY_STEP_SIZE', value: String(this.stepBytes), problem: 'must be at least 4KiB' });
    if (this.bufferMaxBytes < 4 * this.stepBytes) {
      faults.push({ name: 'ACEXY_BUFFER_MAX', value: String(this.bufferMaxBytes), problem: 'must be at least four times ACEXY_STEP_SIZE' });
    }
    if (this.corsOrigins !== undefined) {
      try {
        parseOrigins(this.corsOrigins);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        faults.push({ name: 'ACEXY_CORS_ORIGINS', value: this.corsOrigins, problem: error.message });
      }
    }
    return faults;
  }
}

/** What every broadcast of this proxy is made with. */
export function broadcastSettings(settings: ProxySettings): BroadcastSettings {
  return {
    ...DEFAULT_BROADCAST_SETTINGS,
    maxBytes: Math.max(settings.bufferMaxBytes, settings.bufferMinBytes),
    maxSeconds: settings.bufferSeconds,
    stepBytes: settings.stepBytes,
    stepMs: settings.stepMs,
    joinSeconds: settings.joinSeconds,
    joinMode: settings.joinMode,
    slowClient: settings.slowClient,
    maxSkips: settings.maxSkips,
    maxWriteMs: settings.clientStallMs,
  };
}
