import { CodedError } from '@acexy/service-kit/primitives';
/**
 * How an engine is run: one interface for Docker containers and local processes. The runtime knows which engines exist; all other parts keep a
 * copy of that. Every implementation passes the contract suite in `test/doubles`.
 */

/** The four ports an engine listens on, inside its own network. A local process uses the network of the host. */
export interface EnginePorts {
  http: number;
  https: number;
  /** The port of the engine's line protocol (62062 by default); it must be free, but nothing here uses the protocol. */
  api: number;
  p2p: number;
}

/** `acestream`: leased and probed. `generic`: started by `POST /provision`, managed and listed, never leased. */
export type EngineKind = 'acestream' | 'generic';

export interface EngineSpec {
  /** Unique within the installation. */
  name: string;
  kind: EngineKind;
  /** Only for runtimes that have images. */
  image?: string;
  env: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
  /** All 0 for a `generic` engine. */
  ports: EnginePorts;
  /** Published ports of a `generic` engine: its own port ("40001/tcp") to the port of the host. */
  publish?: Readonly<Record<string, number>>;
  /** Name of the container whose network the engine shares. Such an engine publishes no ports. */
  joins?: string;
}

export type InstanceState = 'created' | 'running' | 'exited';

/** One engine of this installation, as the runtime reports it. */
export interface EngineInstance {
  id: string;
  name: string;
  kind: EngineKind;
  image: string;
  state: InstanceState;
  /** Address for the proxy and the orchestrator. */
  host: string;
  port: number;
  ports: EnginePorts;
  labels: Readonly<Record<string, string>>;
  /** Published ports in Docker's format, `{"40117/tcp": [{HostIp, HostPort}]}`. */
  published: Readonly<Record<string, { HostIp: string; HostPort: string }[] | null>>;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** Upper limit of the time since its last start, in milliseconds, as exact as the runtime reports it; null when it reports none. */
  maxUptimeMs: number | null;
  exitCode: number | null;
  /** The network it shares with another container; absent when it has its own. */
  network?: SharedNetwork;
}

/** The network of another container that an engine lives in. */
export interface SharedNetwork {
  /** Id of that container. A new container with the same name has another id, and the engine can never run in its network. */
  ownerId: string;
  /** Last start of the engine, milliseconds since the epoch by Docker's clock; null when Docker did not report it. */
  startedAt: number | null;
}

/** A container that is not managed by us and shares its network with engines. */
export interface NetworkOwner {
  id: string;
  name: string;
  running: boolean;
  /** Docker's name of its state (running, paused, exited, …). */
  state: string;
  /** `none`: it has no health check. */
  health: 'healthy' | 'unhealthy' | 'starting' | 'none';
  /** Address of its control server and of the engines in its network. */
  host: string;
  /** Milliseconds since the epoch by Docker's clock. */
  startedAt: number;
}

/** Watches the containers that share their network, and restarts engines in it. */
export interface NetworkOwners {
  /** @returns null when no container has that name
   *  @throws RuntimeUnreachableError; RuntimeFailedError */
  inspect(name: string): Promise<NetworkOwner | null>;
  /** Calls the listener whenever one of them may have changed, until the returned function is called. */
  watch(names: readonly string[], listener: () => void): () => Promise<void>;
  /**
   * Restarts an engine under the same id, in the current network of its owner.
   * @throws RuntimeFailedError when its owner no longer exists; the engine then stays stopped
   */
  rejoin(engineId: string, graceMs: number): Promise<void>;
}

/**
 * `changed`: something else about an engine, list all engines again. `lost`: events may have been missed, list all engines again. `prepared`: engines
 * can be started from now on.
 */
export type RuntimeEvent = { type: 'started' | 'died' | 'removed'; id: string } | { type: 'changed' | 'lost' | 'prepared' };

export interface EngineImage {
  name: string;
  /** `unknown`: not checked yet; `missing`: not local and the pull failed, another attempt follows. */
  state: 'unknown' | 'pulling' | 'present' | 'missing';
  /** Progress of the pull, 0 to 100; every layer counts the same. */
  percent: number | null;
  /** Why it is missing, or why IMAGE_PULL=always got no newer one. */
  reason: string | null;
}

export interface EngineRuntime {
  readonly name: 'process' | 'docker';

  /** Adopts the engines that an earlier run of this installation left running. Call once, before anything else. */
  open(): Promise<void>;

  /** Why no engine can be started yet (an image is being pulled), in one sentence; null when engines can be started. Cheap. */
  preparing(): string | null;

  /** TARGET_IMAGE; null when the runtime has no images. Cheap. */
  image(): EngineImage | null;

  /**
   * Creates and starts an engine; resolves when it runs, not when its API answers. After a failure or an abort nothing is left behind: the
   * promise settles after the cleanup, which takes a few seconds at most.
   * @throws PortTakenError when one of the ports is in use; NotPreparedError; RuntimeUnreachableError; RuntimeFailedError otherwise
   */
  start(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance>;

  /** All engines of this installation, dead ones included. */
  list(): Promise<EngineInstance[]>;

  /** Containers whose network engines can share; null when engines are not containers. */
  readonly networkOwners: NetworkOwners | null;

  /** Stops and removes an engine; kills it when it has not stopped within `graceMs`. Does nothing for an unknown id. */
  remove(id: string, graceMs: number): Promise<void>;

  /** Calls the listener on every event until the returned function is called. */
  watch(listener: (event: RuntimeEvent) => void): () => void;

  /** Releases everything except the engines, which keep running. */
  close(): Promise<void>;
}

export const ENGINE_RUNTIME = Symbol('ENGINE_RUNTIME');

/** Another program uses a port of the spec: choose another port. */
export class PortTakenError extends CodedError {
  readonly code = 'port_taken';

  constructor(
    readonly port: number,
    options?: ErrorOptions,
  ) {
    super(`port ${port} is in use by another program`, options);
  }
}

/** An engine could not be started or removed; the message says what happened and what to do. */
export class RuntimeFailedError extends CodedError {
  readonly code: string = 'runtime_failed';
}

/** The container runtime does not answer; the engines may still run. */
export class RuntimeUnreachableError extends RuntimeFailedError {
  override readonly code = 'runtime_unreachable';
}

/** Another orchestrator manages the engines of this installation. */
export class InstallationInUseError extends RuntimeFailedError {
  override readonly code = 'installation_in_use';

  constructor(holder: string) {
    super(
      `another orchestrator manages the engines of this installation on this Docker Engine (${holder}): stop it. If its database was copied for ` +
        'this orchestrator, start this one with an empty database (DB_URL)',
    );
  }
}

/** The image is being pulled: the same start may succeed later. */
export class NotPreparedError extends RuntimeFailedError {
  override readonly code = 'not_prepared';
}

/** The container whose network the engine should share is missing or not running; the image and the engines may be fine. */
export class NoSuchNetworkError extends RuntimeFailedError {
  override readonly code = 'no_such_network';
}
