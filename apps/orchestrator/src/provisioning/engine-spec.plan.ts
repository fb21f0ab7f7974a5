/**
 * From a request and four ports to the engine to be started: its environment and labels (wire-api.md §2). Pure.
 */
import { ENGINE_LABEL, INSTALLATION_LABEL } from '../runtime/engine-labels.js';
import type { EnginePorts, EngineSpec } from '../runtime/engine-runtime.js';
import { parseManagementLabel } from './management-label.js';

/** Seconds; what the images in use expect (engine-contract.md §2.2). */
const INTERNAL_BUFFERING_S = 60;

export interface EngineRequest {
  image?: string;
  labels?: Readonly<Record<string, string>>;
  env?: Readonly<Record<string, string>>;
  hostPort?: number;
}

export interface EngineSpecContext {
  name: string;
  ports: EnginePorts;
  /** CONTAINER_LABEL, `key=value`. */
  containerLabel: string;
  installationId: string;
  /** The engine's HTTPS port is one of the host's too. */
  httpsOnHost: boolean;
  /** Gigabytes of disk cache that the engine may fill. */
  cacheLimitGb: number;
  /** Its place behind a VPN, or null. */
  seat: { vpn: string; labels: Readonly<Record<string, string>> } | null;
}

/** The request cannot be met by any engine; the message names what contradicts what. */
export class EngineRequestError extends Error {
  readonly code = 'engine_request';

  constructor(message: string) {
    super(message);
    this.name = 'EngineRequestError';
  }
}

/**
 * The ports a request insists on: those of its `CONF`, and its host port.
 * @throws EngineRequestError
 */
export function wantedPorts(request: EngineRequest): Partial<EnginePorts> {
  const conf = request.env?.CONF;
  const http = conf === undefined ? undefined : portOption(conf, 'http-port');
  const https = conf === undefined ? undefined : portOption(conf, 'https-port');
  if (http !== undefined && request.hostPort !== undefined && http !== request.hostPort) {
    throw new EngineRequestError(
      `host_port ${request.hostPort} and --http-port=${http} in CONF differ: an engine puts its own port into the URLs it answers, so both must be the same`,
    );
  }
  return { ...defined('http', http ?? request.hostPort), ...defined('https', https) };
}

export function planEngineSpec(request: EngineRequest, context: EngineSpecContext): EngineSpec {
  const { ports, seat } = context;
  const management = parseManagementLabel(context.containerLabel);
  return {
    name: context.name,
    kind: 'acestream',
    ...(request.image !== undefined && { image: request.image }),
    ports,
    ...(seat && { joins: seat.vpn }),
    env: {
      BIND_ALL: 'true',
      INTERNAL_BUFFERING: String(INTERNAL_BUFFERING_S),
      CACHE_LIMIT: String(context.cacheLimitGb),
      ...request.env,
      CONF: completeConf(request.env?.CONF ?? '--bind-all', seat ? allPorts(ports) : webPorts(ports)),
      // Always in accord with the ports we publish and probe, whatever the caller says.
      HTTP_PORT: String(ports.http),
      HTTPS_PORT: String(ports.https),
      P2P_PORT: String(ports.p2p),
    },
    labels: {
      ...request.labels,
      // Ours last: adoption after a restart stands on them.
      [management.key]: management.value,
      [ENGINE_LABEL]: 'true',
      [INSTALLATION_LABEL]: context.installationId,
      'acestream.http_port': String(ports.http),
      'acestream.https_port': String(ports.https),
      'host.http_port': String(ports.http),
      ...(context.httpsOnHost && { 'host.https_port': String(ports.https) }),
      ...seat?.labels,
    },
  };
}

/** The caller's own text, plus the ports it leaves open: without them the engine would take its defaults, which we neither publish nor probe. */
function completeConf(conf: string, options: Readonly<Record<string, number>>): string {
  const missing = Object.entries(options).filter(([option]) => portOption(conf, option) === undefined);
  return [...missing.map(([option, port]) => `--${option}=${port}`), conf].join('\n');
}

function webPorts({ http, https }: EnginePorts): Record<string, number> {
  return { 'http-port': http, 'https-port': https };
}

/** Engines in one network must differ in these, too, and not every image takes them from its environment. */
function allPorts({ api, p2p, ...web }: EnginePorts): Record<string, number> {
  return { ...webPorts({ api, p2p, ...web }), 'api-port': api, port: p2p };
}

/** The port after `--name=` or `--name `, the last one counting as engines have it. */
function portOption(conf: string, name: string): number | undefined {
  const found = [...conf.matchAll(new RegExp(`(?:^|\\s)--${name}(?:=|\\s+)(\\S+)`, 'g'))].at(-1)?.[1];
  if (found === undefined) return undefined;
  const port = /^\d{1,5}$/.test(found) ? Number(found) : 0;
  if (port < 1 || port > 65_535) throw new EngineRequestError(`--${name}=${found} in CONF must be a port from 1 to 65535`);
  return port;
}

function defined<K extends keyof EnginePorts>(kind: K, port: number | undefined): Partial<EnginePorts> {
  return port === undefined ? {} : { [kind]: port };
}
