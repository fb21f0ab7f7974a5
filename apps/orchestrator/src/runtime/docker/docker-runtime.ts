/** Engines as containers of a Docker Engine. */
import type { Log } from '@acexy/service-kit';
import Docker from 'dockerode';
import { Agent } from 'node:http';
import {
  type EngineImage,
  type EngineInstance,
  type EngineRuntime,
  type EngineSpec,
  NotPreparedError,
  type RuntimeEvent,
  RuntimeFailedError,
} from '../engine-runtime.js';
import { type DockerPlacement, type ListedContainer, planContainer, toInstance } from './docker-container.plan.js';
import type { DockerEndpoint } from './docker-endpoint.js';
import { type DockerContext, explain, ImageMissingError, isAlreadyDone, isNotFound } from './docker-errors.js';
import { DockerEvents } from './docker-events.js';
import { DockerNetworkOwners } from './docker-network-owners.js';
import { ImagePull, type ImagePolicy } from './image-pull.js';

/** One call to Docker; a daemon under load answers in seconds, a hung one never. */
const CALL_LIMIT_MS = 20_000;
/** Added to a container's own time to end, which Docker waits for inside of the call. */
const REMOVE_SLACK_MS = 15_000;
const MAX_CONNECTIONS = 32;
/** How often a container that an aborted `create` may have left is looked for. */
const CLEANUP_TRIES = 3;
const CLEANUP_PAUSE_MS = 500;

export interface DockerRuntimeOptions {
  endpoint: DockerEndpoint;
  placement: DockerPlacement;
  /** The image of engines that name none (TARGET_IMAGE). */
  image: string;
  imagePolicy: ImagePolicy;
  /** `key=value` of the label that makes an engine ours and no other installation's. */
  ownerLabel: string;
}

export class DockerRuntime implements EngineRuntime {
  readonly name = 'docker';
  readonly networkOwners: DockerNetworkOwners;
  private readonly agent: Agent;
  private readonly docker: Docker;
  private readonly events: DockerEvents;
  /** Of the engines' image, for as long as the runtime is open. */
  private readonly enginePull: ImagePull;
  /** Of other images that callers name. */
  private readonly pulls = new Map<string, ImagePull>();
  private readonly cleanups = new Set<Promise<void>>();

  constructor(
    private readonly options: DockerRuntimeOptions,
    private readonly log: Log,
  ) {
    // An idle connection of a restarted daemon must not fail the next call, so none is kept.
    this.agent = new Agent({ keepAlive: false, maxSockets: MAX_CONNECTIONS });
    this.docker = new Docker({ ...options.endpoint.options, ...(options.endpoint.options.protocol !== 'https' && { agent: this.agent }) });
    // Its own client: calls that hang must not keep events away, nor the endless call take a connection from them.
    this.events = new DockerEvents(new Docker(options.endpoint.options), { label: [options.ownerLabel] }, log.child('docker-events'));
    this.networkOwners = new DockerNetworkOwners({
      docker: this.docker,
      eventsClient: () => new Docker(options.endpoint.options),
      placement: options.placement,
      explain: (error, doing) => this.failureOf(error, doing),
      log,
    });
    this.enginePull = new ImagePull(this.docker, options.image, options.imagePolicy, log.child('image'), () =>
      this.events.emit({ type: 'prepared' }),
    );
  }

  open(): Promise<void> {
    this.enginePull.begin();
    this.events.watch(({ type }) => {
      // Docker is there again: what failed for want of it is tried at once.
      if (type === 'lost' && this.enginePull.status.state === 'missing') this.enginePull.begin();
    });
    return Promise.resolve();
  }

  preparing(): string | null {
    const { image, status } = this.enginePull;
    switch (status.state) {
      case 'present':
        return null;
      case 'unknown':
        return `image ${image} is being looked for`;
      case 'pulling':
        return `image ${image} is being pulled: ${status.percent} %`;
      case 'missing':
        return status.reason;
      default:
        return status satisfies never;
    }
  }

  image(): EngineImage {
    const { image, status } = this.enginePull;
    return {
      name: image,
      state: status.state,
      percent: status.state === 'pulling' ? status.percent : null,
      reason: status.state === 'missing' ? status.reason : null,
    };
  }

  async start(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance> {
    signal.throwIfAborted();
    const image = spec.image ?? this.options.image;
    const { placement } = this.options;
    const config = planContainer(spec, image, placement);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CALL_LIMIT_MS)]);
    try {
      const container = await this.docker.createContainer({ ...config, abortSignal: limit });
      await container.start({ abortSignal: limit });
      const [instance] = (await this.listed({ name: [`^/${spec.name}$`] }, limit)).filter(({ id }) => id === container.id);
      if (!instance) throw new RuntimeFailedError(`container ${spec.name} vanished right after its start`);
      return instance;
    } catch (error) {
      await this.cleanUp(spec.name, error);
      if (signal.aborted) throw signal.reason;
      throw this.failureOf(error, `the start of ${spec.name}`, { image, joins: spec.joins });
    }
  }

  list(): Promise<EngineInstance[]> {
    return this.listed({}, AbortSignal.timeout(CALL_LIMIT_MS));
  }

  async remove(id: string, graceMs: number): Promise<void> {
    const container = this.docker.getContainer(id);
    const limit = AbortSignal.timeout(graceMs + REMOVE_SLACK_MS);
    try {
      // Docker counts whole seconds; 0 kills at once.
      await ignoring(isAlreadyDone, container.stop({ t: Math.ceil(graceMs / 1000), abortSignal: limit }));
      await ignoring(isAlreadyDone, container.remove({ force: true, v: true, abortSignal: limit }));
    } catch (error) {
      if (!isNotFound(error)) throw this.failureOf(error, `the removal of ${id}`);
    }
  }

  watch(listener: (event: RuntimeEvent) => void): () => void {
    return this.events.watch(listener);
  }

  async close(): Promise<void> {
    await Promise.all([
      this.events.close(),
      this.enginePull.close(),
      ...[...this.pulls.values()].map((pull) => pull.close()),
      ...this.cleanups,
    ]);
    this.agent.destroy();
  }

  private async listed(filters: Record<string, string[]>, abortSignal: AbortSignal): Promise<EngineInstance[]> {
    let containers: ListedContainer[];
    try {
      containers = (await this.docker.listContainers({
        all: true,
        filters: { ...filters, label: [this.options.ownerLabel] },
        abortSignal,
      })) as ListedContainer[];
      await this.networkOwners.complete(containers);
    } catch (error) {
      throw this.failureOf(error, 'listing the engines');
    }
    return containers
      .map((container) => toInstance(container, this.options.placement, this.networkOwners))
      .filter((instance) => instance !== null);
  }

  private failureOf(error: unknown, doing: string, about: Pick<DockerContext, 'image' | 'joins'> = {}): Error {
    if (error instanceof RuntimeFailedError) return error;
    const failure = explain(error, doing, {
      endpoint: this.options.endpoint.name,
      network: this.options.placement.network,
      ...about,
    });
    if (!(failure instanceof ImageMissingError)) return failure;
    return this.imageMissing(failure, doing);
  }

  /** Has it pulled; a caller who asks again hears how that went. */
  private imageMissing(cause: ImageMissingError, doing: string): Error {
    const pull = this.pullOf(cause.image);
    const { status } = pull;
    pull.begin();
    if (status.state === 'missing') return new RuntimeFailedError(`${doing} failed: ${cause.message}: ${status.reason}`, { cause });
    if (this.options.imagePolicy === 'never')
      return new RuntimeFailedError(`${doing} failed: ${cause.message}, and IMAGE_PULL=never: load it with \`docker load\``, { cause });
    return new NotPreparedError(`${cause.message} yet: it is being pulled, try again`, { cause });
  }

  private pullOf(image: string): ImagePull {
    if (image === this.options.image) return this.enginePull;
    let pull = this.pulls.get(image);
    if (!pull) {
      pull = new ImagePull(this.docker, image, this.options.imagePolicy, this.log.child('image'));
      this.pulls.set(image, pull);
    }
    return pull;
  }

  /**
   * Removes what a failed start left. A `create` that was given up may still be carried out by a slow daemon, so after one the name is
   * looked for again in the background; a name that another container holds (409) is not ours to remove.
   */
  private async cleanUp(name: string, cause: unknown): Promise<void> {
    const { statusCode } = cause as { statusCode?: number };
    if (statusCode === 409 || (await this.removedByName(name)) || statusCode !== undefined) return;
    const later = (async () => {
      for (let tries = 0; tries < CLEANUP_TRIES; tries += 1) {
        await new Promise((resolve) => setTimeout(resolve, CLEANUP_PAUSE_MS * 2 ** tries));
        if (await this.removedByName(name)) return;
      }
    })();
    this.cleanups.add(later);
    void later.finally(() => this.cleanups.delete(later));
  }

  /** True where a container of that name was there and is removed. The list of every round finds one that escapes this. */
  private async removedByName(name: string): Promise<boolean> {
    try {
      await this.docker.getContainer(name).remove({ force: true, v: true, abortSignal: AbortSignal.timeout(CALL_LIMIT_MS) });
      return true;
    } catch (error) {
      if (!isNotFound(error))
        this.log.warn('what a failed start left could not be removed yet', { name, reason: (error as Error).message });
      return false;
    }
  }
}

async function ignoring(isFine: (error: unknown) => boolean, call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isFine(error)) throw error;
  }
}
