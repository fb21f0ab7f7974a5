/**
 * How an engine is run, without why: one interface for Docker containers and local processes. The runtime is the truth about which
 * engines exist; everything else is a picture of it. Every implementation passes the contract suite in `engine-runtime.test-kit.ts`.
 */

/** The four ports an engine listens on, inside its own network (which is the host's for a local process). */
export interface EnginePorts {
  http: number;
  https: number;
  /** The line API (62062 by default). */
  api: number;
  p2p: number;
}

/** `acestream`: leased and probed. `generic`: started for a caller of `POST /provision`, managed and listed, never leased. */
export type EngineKind = 'acestream' | 'generic';

export interface EngineSpec {
  /** Unique within the installation. */
  name: string;
  kind: EngineKind;
  /** Only for runtimes that have images. */
  image?: string;
  env: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
  /** All 0 for a `generic` one. */
  ports: EnginePorts;
  /** Of a `generic` one: which of its ports ("40001/tcp") are published as which port of the host. */
  publish?: Readonly<Record<string, number>>;
  /** Name of the container whose network it shares; it then publishes nothing. */
  joins?: string;
}

export type InstanceState = 'created' | 'running' | 'exited';

/** What the runtime says of one engine it owns. */
export interface EngineInstance {
  id: string;
  name: string;
  kind: EngineKind;
  image: string;
  state: InstanceState;
  /** What the proxy and the orchestrator connect to. */
  host: string;
  port: number;
  ports: EnginePorts;
  labels: Readonly<Record<string, string>>;
  /** Published ports in Docker's own shape, `{"40117/tcp": [{HostIp, HostPort}]}`. */
  published: Readonly<Record<string, { HostIp: string; HostPort: string }[] | null>>;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** It has been running without a break for at most so long (milliseconds, as coarse as the runtime tells); null where that is not told. */
  upAtMostMs: number | null;
  exitCode: number | null;
  /** Whose network it shares; absent where it has one of its own. */
  network?: SharedNetwork;
}

/** The network of another container that an engine lives in. */
export interface SharedNetwork {
  /** Id of that container: one made anew under the same name is another, and the engine can never run in its network. */
  ownerId: string;
  /** When the engine was last started, milliseconds since the epoch by Docker's clock; null where Docker did not tell. */
  startedAt: number | null;
}

/** A container that is not ours and lends engines its network. */
export interface NetworkOwner {
  id: string;
  name: string;
  running: boolean;
  /** Docker's word for its state (running, paused, exited, …). */
  state: string;
  /** `none`: it has no health check. */
  health: 'healthy' | 'unhealthy' | 'starting' | 'none';
  /** What its control server and the engines in its network are reached at. */
  host: string;
  /** Milliseconds since the epoch by Docker's clock. */
  startedAt: number;
}

/** Looks after containers that lend their network. */
export interface NetworkOwners {
  /** @returns null where there is none of that name
   *  @throws RuntimeUnreachableError; RuntimeFailedError */
  inspect(name: string): Promise<NetworkOwner | null>;
  /** Calls back whenever one of them may have changed, until the returned function is called. */
  watch(names: readonly string[], listener: () => void): () => Promise<void>;
  /**
   * Stops an engine and starts it again, under the same id and in the network that its owner has now.
   * @throws RuntimeFailedError where that cannot be: its owner is gone, and the engine stays stopped
   */
  rejoin(engineId: string, graceMs: number): Promise<void>;
}

/**
 * Something happened to this engine, look again; `lost`: events may have been missed, look at everything again; `prepared`: engines can be
 * started from now on.
 */
export type RuntimeEvent = { type: 'started' | 'died' | 'removed'; id: string } | { type: 'lost' } | { type: 'prepared' };

/** How far the image of the engines is. */
export interface EngineImage {
  name: string;
  /** `unknown`: not looked for yet; `missing`: not here and not to be had, another try follows. */
  state: 'unknown' | 'pulling' | 'present' | 'missing';
  /** 0 to 100 while it is being pulled; every layer counts the same. */
  percent: number | null;
  /** Why it is missing. */
  reason: string | null;
}

export interface EngineRuntime {
  readonly name: 'process' | 'docker';

  /** Takes over what an earlier run of this installation left running. Call once, before anything else. */
  open(): Promise<void>;

  /** Why no engine can be started yet, in one sentence (an image is being pulled); null where one can. Costs nothing to ask. */
  preparing(): string | null;

  /** The image of the engines; null where engines have none. Costs nothing to ask. */
  image(): EngineImage | null;

  /**
   * Creates and starts an engine; resolves when it runs, not when its API answers. On any failure, and when `signal` aborts,
   * nothing is left behind: it settles once that is so, which may take some seconds, but never for ever.
   * @throws PortTakenError where one of the ports is not to be had; NotPreparedError; RuntimeUnreachableError; RuntimeFailedError otherwise
   */
  start(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance>;

  /** All engines of this installation, dead ones included. */
  list(): Promise<EngineInstance[]>;

  /** Containers whose network engines can share; null where engines are no containers. */
  readonly networkOwners: NetworkOwners | null;

  /** Stops and removes an engine: told to end, and killed where it has not within `graceMs`. An unknown id is no error: it is gone already. */
  remove(id: string, graceMs: number): Promise<void>;

  /** Calls back on every event until the returned function is called. */
  watch(listener: (event: RuntimeEvent) => void): () => void;

  /** Lets go of everything but the engines, which run on. */
  close(): Promise<void>;
}

export const ENGINE_RUNTIME = Symbol('ENGINE_RUNTIME');

/** A port of the spec is in use by somebody else: choose another. */
export class PortTakenError extends Error {
  readonly code = 'port_taken';

  constructor(
    readonly port: number,
    options?: ErrorOptions,
  ) {
    super(`port ${port} is in use by another program`, options);
    this.name = 'PortTakenError';
  }
}

/** The engine could not be started or removed; the message says what and what to do. */
export class RuntimeFailedError extends Error {
  readonly code: string = 'runtime_failed';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RuntimeFailedError';
  }
}

/** Nobody answers where engines are run: a daemon that is away or restarts. Says nothing of engines. */
export class RuntimeUnreachableError extends RuntimeFailedError {
  override readonly code = 'runtime_unreachable';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RuntimeUnreachableError';
  }
}

/** What it is made from is being fetched: the same start may well succeed later. */
export class NotPreparedError extends RuntimeFailedError {
  override readonly code = 'not_prepared';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NotPreparedError';
  }
}

/** An engine was to share the network of a container that does not run, or is not there. Says nothing of engines. */
export class NoSuchNetworkError extends RuntimeFailedError {
  override readonly code = 'no_such_network';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NoSuchNetworkError';
  }
}
