/**
 * Converts an engine's specification to a container, and a listed container back to an engine. Pure: the list has all facts, so there is no call
 * per engine.
 */
import type { EngineInstance, EnginePorts, EngineSpec, InstanceState } from '../engine-runtime.js';

/** Kind and ports of an engine (`acestream 19000 45000 62062 36000`), so that a restarted orchestrator reads them without a database. */
export const SPEC_LABEL = 'acestream-orchestrator.spec';

/** An engine logs one line per second and stream; the default driver would keep all of them. */
const LOG_OPTIONS = { 'max-size': '10m', 'max-file': '2' };

export interface DockerPlacement {
  /** Docker network that engines and services share; null: Docker's default bridge and published ports. */
  network: string | null;
  /** Address for proxies that overrides all others (ENGINE_HOST). */
  engineHost: string | null;
  /** Host part of DOCKER_HOST=tcp://…; null for a local socket. */
  remoteHost: string | null;
  /** Memory limit of an engine in bytes; null: no limit. Generic containers have none. */
  memoryBytes: number | null;
  /** Publish the engine's HTTPS port too (ACE_MAP_HTTPS). */
  mapHttps: boolean;
  /** Address of the Docker host on which the HTTP and HTTPS ports of engines are published (ENGINE_BIND); empty: all of them. */
  engineBind: string;
}

/** The body of `POST /containers/create`, as far as we use it. */
export interface ContainerConfig {
  name: string;
  Image: string;
  Env: string[];
  Labels: Record<string, string>;
  ExposedPorts: Record<string, Record<string, never>>;
  HostConfig: {
    PortBindings: Record<string, { HostIp: string; HostPort: string }[]>;
    RestartPolicy: { Name: 'unless-stopped' };
    LogConfig: { Type: 'json-file'; Config: Record<string, string> };
    NetworkMode?: string;
    Memory?: number;
  };
}

export function planContainer(spec: EngineSpec, image: string, placement: DockerPlacement): ContainerConfig {
  const { http, https, api, p2p } = spec.ports;
  const published = publishedBy(spec, placement);
  return {
    name: spec.name,
    Image: image,
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    Labels: { ...spec.labels, [SPEC_LABEL]: [spec.kind, http, https, api, p2p].join(' ') },
    ExposedPorts: Object.fromEntries(Object.keys(published).map((port) => [port, {}])),
    HostConfig: {
      PortBindings: published,
      RestartPolicy: { Name: 'unless-stopped' },
      LogConfig: { Type: 'json-file', Config: LOG_OPTIONS },
      ...networkMode(spec, placement),
      ...(placement.memoryBytes !== null && spec.kind === 'acestream' && { Memory: placement.memoryBytes }),
    },
  };
}

type PortBindings = ContainerConfig['HostConfig']['PortBindings'];

function publishedBy(spec: EngineSpec, { engineBind, mapHttps }: DockerPlacement): PortBindings {
  const on = (HostIp: string, port: number): PortBindings[string] => [{ HostIp, HostPort: String(port) }];
  if (spec.kind === 'generic') return Object.fromEntries(Object.entries(spec.publish ?? {}).map(([port, host]) => [port, on('', host)]));
  // Only the owner of a shared network can publish ports.
  if (spec.joins !== undefined) return {};
  const { http, https, p2p } = spec.ports;
  return {
    [`${http}/tcp`]: on(engineBind, http),
    // Other peers must be able to connect from everywhere, or few peers are found.
    [`${p2p}/tcp`]: on('', p2p),
    [`${p2p}/udp`]: on('', p2p),
    ...(mapHttps && { [`${https}/tcp`]: on(engineBind, https) }),
  };
}

function networkMode(spec: EngineSpec, placement: DockerPlacement): { NetworkMode?: string } {
  if (spec.joins !== undefined) return { NetworkMode: `container:${spec.joins}` };
  return placement.network === null ? {} : { NetworkMode: placement.network };
}

/** One entry of `GET /containers/json`, as far as we use it. */
export interface ListedContainer {
  Id: string;
  Names: string[];
  Image: string;
  /** Seconds since the epoch. */
  Created: number;
  State: string;
  Status: string;
  Labels: Record<string, string>;
  Ports: { IP?: string; PrivatePort: number; PublicPort?: number; Type: string }[];
  HostConfig?: { NetworkMode?: string };
}

/** Id of the container whose network it shares, or null. */
export function networkOwnerOf({ HostConfig }: Pick<ListedContainer, 'HostConfig'>): string | null {
  return /^container:(.+)$/.exec(HostConfig?.NetworkMode ?? '')?.[1] ?? null;
}

/** Facts about shared networks that the list does not contain. */
export interface NetworkFacts {
  hostOf(ownerId: string): string | null;
  startedAt(engineId: string): number | null;
}

/** Null when the container is not one of our engines. */
export function toInstance(container: ListedContainer, placement: DockerPlacement, networks: NetworkFacts): EngineInstance | null {
  const spec = readSpecLabel(container.Labels[SPEC_LABEL]);
  if (!spec) return null;
  const name = (container.Names[0] ?? '').replace(/^\//, '');
  const state = toState(container.State);
  const ownerId = networkOwnerOf(container);
  return {
    id: container.Id,
    name,
    kind: spec.kind,
    image: container.Image,
    state,
    host: ownerId === null ? hostFor(name, placement) : (networks.hostOf(ownerId) ?? hostFor(ownerId, placement)),
    port: spec.ports.http,
    ports: spec.ports,
    labels: container.Labels,
    published: publishedPorts(container.Ports),
    createdAt: container.Created * 1000,
    maxUptimeMs: state === 'running' ? maxUptimeMs(container.Status) : null,
    exitCode: state === 'exited' ? exitCodeOf(container.Status) : null,
    ...(ownerId !== null && { network: { ownerId, startedAt: networks.startedAt(container.Id) } }),
  };
}

/** Address for proxies. */
export function hostFor(containerName: string, placement: DockerPlacement): string {
  if (placement.engineHost !== null) return placement.engineHost;
  if (placement.network !== null) return containerName;
  return placement.remoteHost ?? '127.0.0.1';
}

function readSpecLabel(text: string | undefined): { kind: EngineSpec['kind']; ports: EnginePorts } | null {
  const [kind, ...numbers] = (text ?? '').split(' ');
  const [http, https, api, p2p] = numbers.map(Number);
  if ((kind !== 'acestream' && kind !== 'generic') || numbers.length !== 4 || numbers.some((port) => !/^\d+$/.test(port))) return null;
  return { kind, ports: { http, https, api, p2p } };
}

/** A `restarting` container will run again by itself, because of its restart policy. */
function toState(state: string): InstanceState {
  switch (state) {
    case 'running':
    case 'paused':
      return 'running';
    case 'created':
    case 'restarting':
      return 'created';
    default: // exited, dead, removing
      return 'exited';
  }
}

function exitCodeOf(status: string): number | null {
  const match = /^Exited \((\d+)\)/.exec(status);
  return match ? Number(match[1]) : null;
}

const UNIT_MS: Record<string, number> = {
  second: 1e3,
  minute: 60e3,
  hour: 3600e3,
  day: 86_400e3,
  week: 604_800e3,
  month: 2_678_400e3,
  year: 31_622_400e3,
};

/** Longest uptime that "Up 5 seconds", "Up About a minute" or "Up 3 hours (healthy)" can mean; null for an unknown text. */
export function maxUptimeMs(status: string): number | null {
  if (status.startsWith('Up Less than a second')) return UNIT_MS.second;
  const match = /^Up (\d+|About an?) (second|minute|hour|day|week|month|year)s?\b/.exec(status);
  if (!match) return null;
  const count = /^\d/.test(match[1]) ? Number(match[1]) : 1;
  return (count + 1) * UNIT_MS[match[2]];
}

function publishedPorts(ports: ListedContainer['Ports']): Record<string, { HostIp: string; HostPort: string }[] | null> {
  const published: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const { IP, PrivatePort, PublicPort, Type } of ports) {
    const key = `${PrivatePort}/${Type}`;
    if (PublicPort === undefined) published[key] ??= null;
    else (published[key] ??= []).push({ HostIp: IP ?? '', HostPort: String(PublicPort) });
  }
  return published;
}
