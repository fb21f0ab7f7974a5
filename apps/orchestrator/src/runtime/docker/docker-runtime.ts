/** Engines as containers of a Docker Engine. */
import type { Log } from '@acexy/service-kit';
import { backoffMs, orAborted } from '@acexy/service-kit/primitives';
import Docker from 'dockerode';
import { Agent } from 'node:http';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type EngineImage,
  type EngineInstance,
  type EngineRuntime,
  type EngineSpec,
  type RuntimeEvent,
  RuntimeFailedError,
} from '../engine-runtime.js';
import { createOptions } from './create-options.js';
import { type DockerPlacement, type ListedContainer, planContainer, toInstance } from './docker-container.plan.js';
import type { DockerEndpoint } from './docker-endpoint.js';
import { type DockerContext, ImageMissingError, isAlreadyDone, isNotFound, translateDockerError } from './docker-errors.js';
import { DockerEvents } from './docker-events.js';
import { DockerLease, type LeaseHolder } from './docker-lease.js';
import { DockerNetworkOwners } from './docker-network-owners.js';
import { EngineImages } from './engine-images.js';
import type { ImagePolicy } from './image-pull.js';
import { SharedNetwork } from './shared-network.js';

/** Limit of one call to Docker: a daemon under load answers in seconds. */
const CALL_LIMIT_MS = 20_000;
/** Added to a container's own grace period, which Docker waits for inside the call. */
const REMOVE_SLACK_MS = 15_000;
const MAX_CONNECTIONS = 32;
/** Attempts to find a container that an aborted `create` may have left. */
const CLEANUP_ATTEMPTS = 3;
const CLEANUP_PAUSE = { firstMs: 500 };

export interface DockerRuntimeOptions {
  endpoint: DockerEndpoint;
  placement: DockerPlacement;
  /** Image of engines that name none (TARGET_IMAGE). */
  image: string;
  imagePolicy: ImagePolicy;
  /** `key=value` of the label that only engines of this installation have. */
  ownerLabel: string;
  /** This orchestrator, for the lease of the installation. */
  holder: LeaseHolder;
}

export class DockerRuntime implements EngineRuntime {
  readonly name = 'docker';
  readonly networkOwners: DockerNetworkOwners;
  private readonly agent: Agent;
  private readonly docker: Docker;
  private readonly events: DockerEvents;
  private readonly images: EngineImages;
  private readonly network: SharedNetwork | null;
  private readonly lease: DockerLease;
  private readonly cleanups = new Set<Promise<void>>();

  constructor(
    private readonly options: DockerRuntimeOptions,
    private readonly log: Log,
  ) {
    const { endpoint, placement, image, imagePolicy, ownerLabel, holder } = options;
    // No connection is kept: an idle connection of a restarted daemon would fail the next call.
    this.agent = new Agent({ keepAlive: false, maxSockets: MAX_CONNECTIONS });
    this.docker = new Docker({ ...endpoint.options, ...(endpoint.options.protocol !== 'https' && { agent: this.agent }) });
    // Events have a client of their own: hanging calls must not delay them, and the endless call must not use a connection of the others.
    const eventsClient = (): Docker => new Docker(endpoint.options);
    this.events = new DockerEvents(eventsClient(), { label: [ownerLabel] }, log.child('docker-events'));
    this.network = placement.network === null ? null : new SharedNetwork(this.docker, placement.network, hostname());
    const translate = this.translate.bind(this);
    this.networkOwners = new DockerNetworkOwners({ docker: this.docker, eventsClient, placement, translate, log });
    this.lease = new DockerLease({ docker: this.docker, holder, ownerLabel, image, network: this.network, log: log.child('lease') });
    this.images = new EngineImages({
      docker: this.docker,
      target: image,
      policy: imagePolicy,
      log: log.child('image'),
      onPrepared: () => this.events.emit({ type: 'prepared' }),
    });
  }

  /** @throws InstallationInUseError */
  async open(): Promise<void> {
    await this.lease.hold();
    this.images.open();
    this.events.watch(({ type }) => {
      if (type === 'lost') this.images.retry();
    });
  }

  preparing(): string | null {
    return this.images.preparing();
  }

  image(): EngineImage {
    return this.images.targetImage();
  }

  async start(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance> {
    signal.throwIfAborted();
    await orAborted(this.lease.hold(), signal);
    const image = spec.image ?? this.options.image;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CALL_LIMIT_MS)]);
    try {
      const network = (await this.network?.realName(limit)) ?? null;
      const config = planContainer(spec, image, { ...this.options.placement, network });
      const container = await this.docker.createContainer(createOptions(config, limit));
      await container.start({ abortSignal: limit });
      const [instance] = (await this.listed({ name: [`^/${spec.name}$`] }, limit)).filter(({ id }) => id === container.id);
      if (!instance) throw new RuntimeFailedError(`container ${spec.name} disappeared right after its start`);
      return instance;
    } catch (error) {
      await this.cleanUp(spec.name, error);
      if (signal.aborted) throw signal.reason;
      throw this.translate(error, `the start of ${spec.name}`, { image, joins: spec.joins });
    }
  }

  list(): Promise<EngineInstance[]> {
    return this.listed({}, AbortSignal.timeout(CALL_LIMIT_MS), (containers) => this.lease.check(containers));
  }

  async remove(id: string, graceMs: number): Promise<void> {
    await this.lease.hold();
    const container = this.docker.getContainer(id);
    const limit = AbortSignal.timeout(graceMs + REMOVE_SLACK_MS);
    try {
      // Docker counts whole seconds; 0 kills at once.
      await ignoring(isAlreadyDone, container.stop({ t: Math.ceil(graceMs / 1000), abortSignal: limit }));
      await ignoring(isAlreadyDone, container.remove({ force: true, v: true, abortSignal: limit }));
    } catch (error) {
      if (!isNotFound(error)) throw this.translate(error, `the removal of ${id}`);
    }
  }

  watch(listener: (event: RuntimeEvent) => void): () => void {
    return this.events.watch(listener);
  }

  async close(): Promise<void> {
    await Promise.all([this.events.close(), this.images.close(), ...this.cleanups]);
    await this.lease.release();
    this.agent.destroy();
  }

  private async listed(
    filters: Record<string, string[]>,
    abortSignal: AbortSignal,
    check: (containers: readonly ListedContainer[]) => void = () => undefined,
  ): Promise<EngineInstance[]> {
    try {
      const options = { all: true, filters: { ...filters, label: [this.options.ownerLabel] }, abortSignal };
      const containers = (await this.docker.listContainers(options)) as ListedContainer[];
      check(containers);
      await this.networkOwners.complete(containers);
      return containers
        .map((container) => toInstance(container, this.options.placement, this.networkOwners))
        .filter((instance) => instance !== null);
    } catch (error) {
      throw this.translate(error, 'listing the engines');
    }
  }

  private translate(error: unknown, operation: string, about: Pick<DockerContext, 'image' | 'joins'> = {}): Error {
    if (error instanceof RuntimeFailedError) return error;
    const context = { endpoint: this.options.endpoint.name, network: this.options.placement.network, ...about };
    const translated = translateDockerError(error, operation, context);
    return translated instanceof ImageMissingError ? this.images.pullMissing(translated, operation) : translated;
  }

  /**
   * Removes what a failed start left. A slow daemon may still carry out a `create` that was aborted, so afterwards the name is looked up again
   * in the background. A name that another container holds (409) is not ours to remove.
   */
  private async cleanUp(name: string, cause: unknown): Promise<void> {
    const { statusCode } = cause as { statusCode?: number };
    if (statusCode === 409 || (await this.removeByName(name)) || statusCode !== undefined) return;
    const later = (async () => {
      for (let attempt = 1; attempt <= CLEANUP_ATTEMPTS; attempt += 1) {
        await sleep(backoffMs(attempt, CLEANUP_PAUSE));
        if (await this.removeByName(name)) return;
      }
    })();
    this.cleanups.add(later);
    void later.finally(() => this.cleanups.delete(later));
  }

  /** @returns whether it has removed a container of that name. A container that appears later is removed after the next list. */
  private async removeByName(name: string): Promise<boolean> {
    try {
      await this.docker.getContainer(name).remove({ force: true, v: true, abortSignal: AbortSignal.timeout(CALL_LIMIT_MS) });
      return true;
    } catch (error) {
      if (!isNotFound(error)) this.log.warn('removing a failed engine failed', { name, error: (error as Error).message });
      return false;
    }
  }
}

async function ignoring(isExpected: (error: unknown) => boolean, call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isExpected(error)) throw error;
  }
}
