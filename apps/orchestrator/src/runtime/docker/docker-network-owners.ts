import type { Log } from '@acexy/service-kit';
import type Docker from 'dockerode';
import type { NetworkOwner, NetworkOwners } from '../engine-runtime.js';
import { type DockerPlacement, type ListedContainer, maxUptimeMs, type NetworkFacts, networkOwnerOf } from './docker-container.plan.js';
import { isNotFound } from './docker-errors.js';
import { DockerEvents } from './docker-events.js';

const CALL_LIMIT_MS = 10_000;
/** Added to an engine's own grace period, which Docker waits for inside the call. */
const RESTART_SLACK_MS = 15_000;
/** A slow daemon may send an old list, and Docker reports whole seconds. */
const LIST_AGE_MS = 2_000;
/** Events that may give engines a network or take it away. */
const ACTIONS = ['start', 'die', 'destroy', 'pause', 'unpause', 'rename', 'health_status'] as const;
const HEALTHS = ['healthy', 'unhealthy', 'starting'] as const;

export interface DockerNetworkOwnersOptions {
  docker: Docker;
  /** Makes a client that only reads events: that call never ends. */
  eventsClient: () => Docker;
  placement: DockerPlacement;
  translate: (error: unknown, operation: string) => Error;
  log: Log;
}

/**
 * The containers whose network engines share. What the list of engines does not contain is read once and cached: an owner's address until the
 * next inspection of the owner, an engine's start time until the engine restarts.
 */
export class DockerNetworkOwners implements NetworkOwners, NetworkFacts {
  /** By id of the owner; null: it no longer exists. */
  private readonly hosts = new Map<string, string | null>();
  private readonly starts = new Map<string, number>();

  constructor(private readonly options: DockerNetworkOwnersOptions) {}

  async inspect(name: string): Promise<NetworkOwner | null> {
    try {
      const owner = await this.read(name);
      this.hosts.set(owner.id, owner.host);
      return owner;
    } catch (error) {
      if (isNotFound(error)) return null;
      throw this.options.translate(error, `the inspection of the VPN container ${name}`);
    }
  }

  watch(names: readonly string[], listener: () => void): () => Promise<void> {
    const events = new DockerEvents(this.options.eventsClient(), { container: [...names] }, this.options.log.child('vpn-events'), ACTIONS);
    events.watch(listener);
    return () => events.close();
  }

  async rejoin(engineId: string, graceMs: number): Promise<void> {
    this.starts.delete(engineId);
    try {
      const options = { t: Math.ceil(graceMs / 1000), abortSignal: AbortSignal.timeout(graceMs + RESTART_SLACK_MS) };
      await this.options.docker.getContainer(engineId).restart(options);
    } catch (error) {
      throw this.options.translate(error, `the restart of ${engineId}`);
    }
  }

  hostOf(ownerId: string): string | null {
    return this.hosts.get(ownerId) ?? null;
  }

  startedAt(engineId: string): number | null {
    return this.starts.get(engineId) ?? null;
  }

  /** Reads what the list of engines does not contain. */
  async complete(engines: readonly ListedContainer[]): Promise<void> {
    const present = new Set(engines.map(({ Id }) => Id));
    for (const id of this.starts.keys()) if (!present.has(id)) this.starts.delete(id);
    const behind = engines.filter((engine) => networkOwnerOf(engine) !== null);
    const unknownOwners = new Set(behind.map((engine) => networkOwnerOf(engine) as string).filter((id) => !this.hosts.has(id)));
    await Promise.all([
      ...[...unknownOwners].map((id) => this.readHost(id)),
      ...behind.filter((engine) => this.isStale(engine)).map(({ Id }) => this.readStart(Id)),
    ]);
  }

  private isStale({ Id, State, Status }: ListedContainer): boolean {
    if (State !== 'running') return false;
    const known = this.starts.get(Id);
    if (known === undefined) return true;
    const limit = maxUptimeMs(Status);
    return limit !== null && Date.now() - known > limit + LIST_AGE_MS;
  }

  private async readHost(ownerId: string): Promise<void> {
    try {
      this.hosts.set(ownerId, (await this.read(ownerId)).host);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.hosts.set(ownerId, null);
    }
  }

  private async readStart(engineId: string): Promise<void> {
    try {
      const { State } = await this.inspectContainer(engineId);
      this.starts.set(engineId, Date.parse(State.StartedAt));
    } catch (error) {
      // Removed since the list was made.
      if (!isNotFound(error)) throw error;
    }
  }

  private async read(nameOrId: string): Promise<NetworkOwner> {
    const { Id, Name, State, NetworkSettings } = await this.inspectContainer(nameOrId);
    const name = Name.replace(/^\//, '');
    return {
      id: Id,
      name,
      running: State.Running && !State.Paused,
      state: State.Status,
      health: HEALTHS.find((health) => health === State.Health?.Status) ?? 'none',
      host: this.hostFor(name, NetworkSettings),
      startedAt: Date.parse(State.StartedAt),
    };
  }

  /** Its name when services share a network with it; otherwise the host of its published ports, or its address on the bridge. */
  private hostFor(name: string, { Networks }: Docker.ContainerInspectInfo['NetworkSettings']): string {
    const { engineHost, network, remoteHost } = this.options.placement;
    if (engineHost !== null) return engineHost;
    if (network !== null) return name;
    const address = Object.values(Networks).find((one) => one.IPAddress)?.IPAddress;
    return remoteHost ?? address ?? '127.0.0.1';
  }

  private inspectContainer(nameOrId: string): Promise<Docker.ContainerInspectInfo> {
    // The type of the options lacks the signal that every call accepts.
    const options = { abortSignal: AbortSignal.timeout(CALL_LIMIT_MS) } as Docker.ContainerInspectOptions;
    return this.options.docker.getContainer(nameOrId).inspect(options);
  }
}
