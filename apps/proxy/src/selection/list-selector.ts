/** Engines from the orchestrator's list, chosen by the proxy: for an orchestrator without lease API, and for any while it is unreachable. */
import type { EngineState } from '@acexy/contracts';
import { type EngineAddress, type EngineClient, EngineError } from '@acexy/engine-client';
import { ProvisioningBlockedError, UnauthorizedError } from '@acexy/orchestrator-client';
import { type LeasedEngine, NoEngineError, type SelectRequest } from './engine-selector.js';
import type { OrchestratorContext } from './injection-tokens.js';
import type { Reservations } from './reservations.js';
import { selectEngine } from './selection.policy.js';

/** Pause between two reads of the list while an engine starts. */
const STARTING_PAUSE_MS = 500;
const RELEASING_PAUSE_MS = 250;
/** How long a viewer waits for an engine in use when no further one can be started; our orchestrator has FULL_POOL_WAIT_S for it. */
const FULL_POOL_WAIT_MS = 15_000;
const FULL_POOL_PAUSE_MS = 1000;
const FULL_POOL_RETRY_S = 3;

export class ListSelector {
  /** By id: the engines of the last list that was not empty, and those leased since. */
  private known = new Map<string, EngineState>();

  /** @param engineStatus to check whether a newly started engine answers */
  constructor(
    private readonly orchestrator: OrchestratorContext,
    private readonly reservations: Reservations,
    private readonly maxStreamsPerEngine: number,
    private readonly engineStatus: (address: EngineAddress) => Pick<EngineClient, 'getStatus'>,
  ) {}

  /**
   * An engine of the list. When none is free and `provision` is set, starts one and waits for it; if the pool is full, waits for one in use.
   * @throws NoEngineError; OrchestratorError when there is no list; the signal's reason
   */
  async select(request: SelectRequest, { provision }: { provision: boolean }): Promise<LeasedEngine> {
    const { reservations } = this;
    let started: string | null = null;
    const fullUntil = this.orchestrator.clock.now() + (request.exclude.length > 0 ? 0 : FULL_POOL_WAIT_MS);
    for (;;) {
      const engine = await this.choose(request, started);
      if (engine) return this.reserve(engine, request);
      const left = request.deadline - this.orchestrator.clock.now();
      if (left <= 0) throw new NoEngineError(started ? 'the engine that was started is not ready yet' : 'no engine became free in time', 5);
      if (request.onNoneFree()) {
        await reservations.change(Math.min(left, RELEASING_PAUSE_MS), request.signal);
        continue;
      }
      if (!provision) throw new NoEngineError('all known engines are in use', 10);
      try {
        started ??= await this.provision(request);
        await reservations.change(Math.min(left, STARTING_PAUSE_MS), request.signal);
      } catch (error) {
        if (!isFullPool(error)) throw error;
        if (this.orchestrator.clock.now() >= fullUntil) throw new NoEngineError(error.reason, FULL_POOL_RETRY_S, { cause: error });
        await reservations.change(Math.min(left, FULL_POOL_PAUSE_MS), request.signal);
      }
    }
  }

  /** @throws OrchestratorError */
  async refresh(signal?: AbortSignal): Promise<EngineState[]> {
    const { client, link } = this.orchestrator;
    const { engines, stale } = await client.engines(signal);
    if (stale) link.markUnreachable('the engine list could not be read');
    else link.succeeded('engines');
    // An orchestrator that has just started knows no engines yet; if it disappears again, the earlier ones are the best guess.
    if (engines.length > 0) this.known = new Map(engines.map((engine) => [engine.container_id, engine]));
    return engines;
  }

  /** Adds a leased engine that no list has shown yet. */
  learn(engine: EngineState): void {
    if (!this.known.has(engine.container_id)) this.known.set(engine.container_id, engine);
  }

  /** An unreachable orchestrator is not waited for: the last list is used. */
  private async list(signal: AbortSignal): Promise<EngineState[]> {
    if (!this.orchestrator.link.unreachable) return this.refresh(signal);
    if (this.known.size === 0) throw new NoEngineError('the orchestrator is unreachable, and no engine is known', 5);
    return [...this.known.values()];
  }

  private async choose(request: SelectRequest, started: string | null): Promise<EngineState | null> {
    const { reservations, maxStreamsPerEngine, orchestrator } = this;
    const engines = await this.list(request.signal);
    const { engine, considered } = selectEngine(engines, {
      proxyId: orchestrator.identity.proxyId,
      maxStreamsPerEngine,
      exclude: new Set(request.exclude),
      ownStreams: (id) => reservations.count(id),
      isOurs: (id) => reservations.isOurs(id),
      hasContent: (id) => reservations.hasContent(id, request.content),
    });
    orchestrator.log.debug('engines considered', { stream_id: request.streamId, considered });
    if (!engine || engine.container_id !== started) return engine;
    return (await this.answers(engine, request.signal)) ? engine : null;
  }

  private async answers({ host, port }: EngineState, signal: AbortSignal): Promise<boolean> {
    try {
      await this.engineStatus({ host, port }).getStatus(signal);
      return true;
    } catch (error) {
      if (error instanceof EngineError) return false;
      throw error;
    }
  }

  private async provision({ streamId, signal }: SelectRequest): Promise<string> {
    const { client, link, log } = this.orchestrator;
    try {
      const { container_id: id } = await client.provisionAcestream({}, signal);
      link.succeeded('provision');
      log.info('no engine free, started one', { stream_id: streamId, engine_id: id });
      return id;
    } catch (error) {
      if (error instanceof ProvisioningBlockedError) throw NoEngineError.blocked(error);
      if (error instanceof UnauthorizedError) {
        link.failed('provision', error);
        throw new NoEngineError('the orchestrator rejects our API key: set ACEXY_ORCH_APIKEY to its API_KEY', 30, { cause: error });
      }
      throw error;
    }
  }

  private reserve({ container_id: id, host, port }: EngineState, { streamId, content }: SelectRequest): LeasedEngine {
    const release = this.reservations.reserve(id, streamId, content);
    const reason = 'chosen from the engine list';
    return { engineId: id, containerId: id, address: { host, port }, leaseId: null, reason, release: async () => release() };
  }
}

function isFullPool(error: unknown): error is NoEngineError {
  return error instanceof NoEngineError && error.cause instanceof ProvisioningBlockedError && error.cause.code === 'max_capacity';
}
