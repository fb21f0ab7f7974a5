import Docker from 'dockerode';
import { hostname } from 'node:os';
import { dockerEndpoint } from '../../runtime/docker/docker-endpoint.js';
import { isNotFound, translateDockerError } from '../../runtime/docker/docker-errors.js';
import { SharedNetwork } from '../../runtime/docker/shared-network.js';
import type { OrchestratorSettings } from '../../settings.js';
import { GluetunClient, GluetunError } from '../../vpn/gluetun-client.js';
import { imageVersion } from '../../vpn/gluetun-roles.policy.js';
import type { DockerFacts, VpnContainerFacts } from '../facts.js';

const LIMIT_MS = 5_000;
/** Label of every engine, of all installations. */
const ENGINE_LABEL = 'acestream-orchestrator';

/** Collects facts from Docker, each call with a timeout. */
export class DockerCollector {
  private readonly docker: Docker;
  private readonly endpoint: string;
  private slowestMs = 0;

  constructor(private readonly settings: OrchestratorSettings) {
    const { name, options } = dockerEndpoint(settings.dockerHost, settings.dockerCertPath);
    this.endpoint = name;
    this.docker = new Docker({ ...options, timeout: LIMIT_MS });
  }

  async look(): Promise<DockerFacts> {
    const { targetImage, dockerNetwork } = this.settings;
    try {
      await this.timed(this.docker.ping());
    } catch (error) {
      // A filter of the operator may reject this call: then Docker is there, and the other calls show what works.
      const isRejected = (error as { statusCode?: number }).statusCode === 403;
      if (!isRejected)
        return {
          reached: false,
          endpoint: this.endpoint,
          problem: translateDockerError(error, 'a call to Docker', { endpoint: this.endpoint }).message,
        };
    }
    const version = await this.allowed(this.docker.version());
    const info = await this.allowed(this.docker.info() as Promise<{ MemTotal: number; SystemTime?: string }>);
    const engines = await this.allowed(this.docker.listContainers({ all: true, filters: { label: [ENGINE_LABEL] } }));
    const containers: Record<string, number> = {};
    for (const { State } of engines ?? []) containers[State] = (containers[State] ?? 0) + 1;
    const clock = Date.parse(info?.SystemTime ?? '');
    return {
      reached: true,
      endpoint: this.endpoint,
      version: version?.Version ?? '(unknown version)',
      latencyMs: this.slowestMs,
      host: info && { memory: info.MemTotal, clock: Number.isNaN(clock) ? null : clock },
      image: await this.presence(this.docker.getImage(targetImage).inspect()),
      network: dockerNetwork === undefined ? null : await this.presence(this.inspectNetwork(dockerNetwork)),
      containers,
    };
  }

  private async inspectNetwork(name: string): Promise<unknown> {
    const network = await new SharedNetwork(this.docker, name, hostname()).realName(AbortSignal.timeout(LIMIT_MS));
    return this.docker.getNetwork(network).inspect();
  }

  /** Null if Docker does not know the container or does not answer. */
  async container(name: string): Promise<VpnContainerFacts['container']> {
    const call = this.docker.getContainer(name).inspect();
    const container = await call.catch(() => null); // another check reports whether Docker answers
    if (!container) return null;
    const { State, Config } = container;
    return { status: State.Status, health: State.Health?.Status ?? null, version: imageVersion(Config.Image, Config.Labels) };
  }

  /** Null if a filter in front of Docker rejects the call, or it times out. */
  private allowed<T>(call: Promise<T>): Promise<T | null> {
    return this.timed(call).catch(() => null); // the checks report it as unknown
  }

  private presence(call: Promise<unknown>): Promise<'present' | 'missing' | 'unknown'> {
    return this.timed(call).then(
      () => 'present',
      (error) => (isNotFound(error) ? 'missing' : 'unknown'),
    );
  }

  private async timed<T>(call: Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      return await call;
    } finally {
      this.slowestMs = Math.max(this.slowestMs, performance.now() - startedAt);
    }
  }
}

/** Asks Gluetun's control server. */
export async function askGluetun(name: string, settings: OrchestratorSettings): Promise<VpnContainerFacts['control']> {
  const { gluetunApiPort: port, gluetunApiKey: apiKey, gluetunApiUsername: username, gluetunApiPassword: password } = settings;
  const client = new GluetunClient({ host: name, port, credentials: { apiKey, username, password }, timeoutMs: LIMIT_MS });
  try {
    return { ok: true, status: await client.vpnStatus(AbortSignal.timeout(LIMIT_MS)) };
  } catch (error) {
    return { ok: false, code: error instanceof GluetunError ? error.code : 'unreachable', problem: (error as Error).message };
  }
}
