import type { Log } from '@acexy/service-kit';
import { type Clock, pause, SystemClock } from '@acexy/service-kit/primitives';
import type Docker from 'dockerode';
import { randomBytes } from 'node:crypto';
import { HOLDER_LABEL } from '../engine-labels.js';
import { InstallationInUseError } from '../engine-runtime.js';
import { createOptions } from './create-options.js';
import { type ListedContainer, SPEC_LABEL } from './docker-container.plan.js';
import { isNotFound } from './docker-errors.js';
import type { SharedNetwork } from './shared-network.js';

const NAME = 'acestream-orchestrator-lease';
const CALL_LIMIT_MS = 5_000;
const RELEASE_LIMIT_MS = 2_000;
/** A running orchestrator rejects a request within a second of its event, or at its next list (MONITOR_INTERVAL_S, 10 s by default). */
const ANSWER_LIMIT_MS = 15_000;
const ANSWER_POLL_MS = 500;
const MAX_ATTEMPTS = 3;

export interface LeaseHolder {
  /** Of the database: the same after a restart, another one for a copy. Its lock proves that an earlier process with this id has ended. */
  id: string;
  /** For messages. */
  name: string;
}

export interface DockerLeaseOptions {
  docker: Docker;
  holder: LeaseHolder;
  /** `key=value` of the label that only containers of this installation have. */
  ownerLabel: string;
  /** Image and network of a container that is never started. */
  image: string;
  network: SharedNetwork | null;
  log: Log;
}

interface Marker {
  id: string;
  isLease: boolean;
  holder: LeaseHolder;
}

/**
 * Lets only one orchestrator manage the engines of an installation: two of them with copies of one database would remove each other's engines.
 *
 * The lease is a container that is never started; its name is unique, so Docker gives it to one orchestrator only. It needs no heartbeat: an
 * orchestrator that finds the lease of another one creates a second such container, the request. A running holder sees it in its list and
 * removes it. If nobody does, the holder is gone, and the lease is taken over.
 */
export class DockerLease {
  private readonly clock: Clock = new SystemClock();
  private readonly closed = new AbortController();
  /** Id of our lease container; null while we hold no lease. */
  private held: string | null = null;
  private acquiring: Promise<void> | null = null;
  /** The orchestrator that has taken over the lease. */
  private successor: string | null = null;

  constructor(
    private readonly options: DockerLeaseOptions,
    private readonly answerLimitMs = ANSWER_LIMIT_MS,
  ) {}

  /** Resolves when this orchestrator holds the lease, or when Docker creates no container now, which the next call reports. @throws InstallationInUseError */
  async hold(): Promise<void> {
    if (this.successor !== null) throw new InstallationInUseError(this.successor);
    if (this.held !== null) return;
    this.acquiring ??= this.acquire().finally(() => (this.acquiring = null));
    try {
      await this.acquiring;
    } catch (error) {
      if (error instanceof InstallationInUseError) throw error;
      this.options.log.debug('installation lease not available', { error: (error as Error).message });
    }
  }

  /** Call it with every complete list of the installation's containers. @throws InstallationInUseError when another orchestrator has taken over */
  check(containers: readonly ListedContainer[]): void {
    if (this.successor !== null) throw new InstallationInUseError(this.successor);
    if (this.held === null) return;
    const markers = containers.flatMap((container) => this.toMarker(container) ?? []);
    const lease = markers.find(({ isLease }) => isLease);
    if (lease && lease.holder.id !== this.options.holder.id) {
      this.held = null;
      this.successor = lease.holder.name;
      this.options.log.error('installation lease lost', { holder: lease.holder.name });
      throw new InstallationInUseError(lease.holder.name);
    }
    // Removed by an operator.
    if (!lease) this.held = null;
    for (const { id, holder } of markers.filter(({ isLease }) => !isLease)) {
      this.options.log.warn('another orchestrator rejected', {
        holder: holder.name,
        advice: 'two orchestrators have copies of one database',
      });
      void this.remove(id);
    }
  }

  /** Removes the lease, so that another orchestrator need not ask. */
  async release(): Promise<void> {
    this.closed.abort();
    await this.acquiring?.catch(() => undefined); // reported to the caller of `hold`
    if (this.held === null) return;
    await this.remove(this.held, RELEASE_LIMIT_MS);
    this.held = null;
  }

  private async acquire(): Promise<void> {
    const { holder, log } = this.options;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const created = await this.create(this.name);
      const lease = created === null ? (await this.markers()).find(({ isLease }) => isLease) : null;
      this.held = created ?? (lease?.holder.id === holder.id ? lease.id : null);
      if (this.held !== null) return;
      // Its holder has just stopped.
      if (!lease) continue;
      log.info('waiting for another orchestrator', { holder: lease.holder.name, limit_ms: this.answerLimitMs });
      if (await this.isAnswered()) throw new InstallationInUseError(lease.holder.name);
      log.warn('installation lease taken over', { earlier_holder: lease.holder.name });
      await this.remove(lease.id);
    }
    throw new Error(`the container ${this.name} appeared and disappeared ${MAX_ATTEMPTS} times`);
  }

  /** Whether a running orchestrator removes our request. */
  private async isAnswered(): Promise<boolean> {
    const request = `${this.name}-${randomBytes(4).toString('hex')}`;
    if ((await this.create(request)) === null) return true;
    const { signal } = this.closed;
    const end = this.clock.now() + this.answerLimitMs;
    try {
      while (this.clock.now() < end) {
        await pause(this.clock, ANSWER_POLL_MS, signal);
        signal.throwIfAborted();
        if (!(await this.containers()).some(({ Names }) => Names[0] === `/${request}`)) return true;
      }
      return false;
    } finally {
      await this.remove(request);
    }
  }

  /** The installation's lease, the same for every orchestrator. */
  private get name(): string {
    return `${NAME}-${this.options.ownerLabel.slice(this.options.ownerLabel.indexOf('=') + 1)}`;
  }

  /** @returns its id; null when a container has that name */
  private async create(name: string): Promise<string | null> {
    const { docker, ownerLabel, holder, image, network } = this.options;
    const [ownerKey, ownerValue = ''] = ownerLabel.split('=');
    const abortSignal = AbortSignal.timeout(CALL_LIMIT_MS);
    const mode = await network?.realName(abortSignal);
    try {
      const config = {
        name,
        Image: image,
        Labels: { [ownerKey]: ownerValue, [SPEC_LABEL]: 'lease', [HOLDER_LABEL]: `${holder.id} ${holder.name}` },
        ...(mode !== undefined && { HostConfig: { NetworkMode: mode } }),
      };
      const { id } = await docker.createContainer(createOptions(config, abortSignal));
      return id;
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === 409) return null;
      throw error;
    }
  }

  private async containers(): Promise<ListedContainer[]> {
    const options = { all: true, filters: { label: [this.options.ownerLabel] }, abortSignal: AbortSignal.timeout(CALL_LIMIT_MS) };
    return (await this.options.docker.listContainers(options)) as ListedContainer[];
  }

  private async markers(): Promise<Marker[]> {
    return (await this.containers()).flatMap((container) => this.toMarker(container) ?? []);
  }

  private async remove(idOrName: string, limitMs = CALL_LIMIT_MS): Promise<void> {
    try {
      await this.options.docker.getContainer(idOrName).remove({ force: true, abortSignal: AbortSignal.timeout(limitMs) });
    } catch (error) {
      if (!isNotFound(error)) this.options.log.warn('lease container not removed', { name: idOrName, error: (error as Error).message });
    }
  }

  /** Null for an engine. */
  private toMarker({ Id, Names, Labels }: ListedContainer): Marker | null {
    const text = Labels[HOLDER_LABEL];
    if (text === undefined) return null;
    const space = text.indexOf(' ');
    return { id: Id, isLease: Names.includes(`/${this.name}`), holder: { id: text.slice(0, space), name: text.slice(space + 1) } };
  }
}
