/** Turns a request and its ports into the engine or container to start: environment, labels, ports. Pure. */
import { CodedError } from '@acexy/service-kit/primitives';
import { BLUEPRINT_LABEL, ENGINE_LABEL, INSTALLATION_LABEL, parseManagementLabel } from '../runtime/engine-labels.js';
import type { EnginePorts, EngineSpec } from '../runtime/engine-runtime.js';

/** Seconds; what the usual engine images expect. */
const INTERNAL_BUFFERING_S = 60;
const NO_PORTS: EnginePorts = { http: 0, https: 0, api: 0, p2p: 0 };

type Texts = Readonly<Record<string, string>>;

export interface EngineRequest {
  image?: string;
  labels?: Texts;
  env?: Texts;
  hostPort?: number;
}

/** A request of `POST /provision`: a container that is not an engine. */
export interface ContainerRequest {
  /** Default: TARGET_IMAGE. */
  image?: string;
  env: Texts;
  labels: Texts;
  /** Container port ("40001/tcp") → host port. */
  ports: Readonly<Record<string, number>>;
  namePrefix: string;
}

export interface ContainerSpecContext {
  name: string;
  /** CONTAINER_LABEL, `key=value`. */
  containerLabel: string;
  installationId: string;
}

export interface EngineSpecContext extends ContainerSpecContext {
  /** Hash of the settings that the engine is made from. */
  blueprint: string;
  ports: EnginePorts;
  /** Whether the engine's HTTPS port is also a port of the host. */
  httpsOnHost: boolean;
  /** Limit of the engine's disk cache, in gigabytes. */
  cacheLimitGb: number;
  /** Null without a VPN. */
  vpnSlot: { vpn: string; labels: Texts } | null;
}

/** The request has an invalid port or contradicts itself; the message says where. */
export class EngineRequestError extends CodedError {
  readonly code = 'engine_request';
}

/**
 * The ports that a request demands: those in its `CONF`, and its host port.
 * @throws EngineRequestError
 */
export function requestedPorts({ env, hostPort }: EngineRequest): Partial<EnginePorts> {
  const conf = env?.CONF ?? '';
  const http = portOption(conf, 'http-port');
  const https = portOption(conf, 'https-port');
  if (http !== undefined && hostPort !== undefined && http !== hostPort) {
    throw new EngineRequestError(
      `host_port ${hostPort} and --http-port=${http} in CONF differ: an engine puts its own port into the URLs it returns, so set both to the same port`,
    );
  }
  return { http: http ?? hostPort, https };
}

export function planEngineSpec(request: EngineRequest, context: EngineSpecContext): EngineSpec {
  const { ports, vpnSlot } = context;
  return {
    name: context.name,
    kind: 'acestream',
    ...(request.image !== undefined && { image: request.image }),
    ports,
    ...(vpnSlot && { joins: vpnSlot.vpn }),
    env: {
      BIND_ALL: 'true',
      INTERNAL_BUFFERING: String(INTERNAL_BUFFERING_S),
      CACHE_LIMIT: String(context.cacheLimitGb),
      ...request.env,
      CONF: completeConf(request.env?.CONF ?? '--bind-all', ports, vpnSlot !== null),
      // After the caller's values: these must match the ports that are published and probed.
      HTTP_PORT: String(ports.http),
      HTTPS_PORT: String(ports.https),
      P2P_PORT: String(ports.p2p),
    },
    labels: {
      ...request.labels,
      // After the caller's labels: a restarted orchestrator finds its engines by these.
      ...ownLabels(context),
      [ENGINE_LABEL]: 'true',
      [BLUEPRINT_LABEL]: context.blueprint,
      'acestream.http_port': String(ports.http),
      'acestream.https_port': String(ports.https),
      'host.http_port': String(ports.http),
      ...(context.httpsOnHost && { 'host.https_port': String(ports.https) }),
      ...vpnSlot?.labels,
    },
  };
}

export function planContainerSpec(request: ContainerRequest, context: ContainerSpecContext): EngineSpec {
  // A caller's label with our prefix would be mistaken for one of ours.
  const labels = Object.entries(request.labels).filter(([name]) => !/^acestream-orchestrator(\.|$)/.test(name));
  return {
    name: context.name,
    kind: 'generic',
    ...(request.image !== undefined && { image: request.image }),
    ports: NO_PORTS,
    publish: request.ports,
    env: request.env,
    // Without ENGINE_LABEL: tools that remove engines by that label must not remove this container.
    labels: { ...Object.fromEntries(labels), ...ownLabels(context) },
  };
}

function ownLabels({ containerLabel, installationId }: ContainerSpecContext): Record<string, string> {
  const { key, value } = parseManagementLabel(containerLabel);
  return { [key]: value, [INSTALLATION_LABEL]: installationId };
}

/** Adds the ports that the caller's CONF leaves out: the engine would use its defaults, which are neither published nor probed. */
function completeConf(conf: string, { http, https, api, p2p }: EnginePorts, sharedNetwork: boolean): string {
  const options = Object.entries({
    'http-port': http,
    'https-port': https,
    // Engines in one network must differ in these, too, and not every image reads them from its environment.
    ...(sharedNetwork && { 'api-port': api, port: p2p }),
  });
  const missing = options.filter(([option]) => portOption(conf, option) === undefined);
  return [...missing.map(([option, port]) => `--${option}=${port}`), conf].join('\n');
}

/** The port in `--name=PORT` or `--name PORT`; an engine uses the last one. */
function portOption(conf: string, name: string): number | undefined {
  const found = [...conf.matchAll(new RegExp(`(?:^|\\s)--${name}(?:=|\\s+)(\\S+)`, 'g'))].at(-1)?.[1];
  if (found === undefined) return undefined;
  const port = /^\d{1,5}$/.test(found) ? Number(found) : 0;
  if (port < 1 || port > 65_535) throw new EngineRequestError(`--${name}=${found} in CONF must be a port from 1 to 65535`);
  return port;
}
