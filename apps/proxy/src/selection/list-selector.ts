/** Engines from the orchestrator's list, chosen here: in front of a foreign orchestrator, and of any while it is away. */
import type { EngineState } from '@acexy/contracts';
import { type EngineAddress, type EngineClient, EngineError } from '@acexy/engine-client';
import { type OrchestratorClient, ProvisioningBlockedError, UnauthorizedError } from '@acexy/orchestrator-client';
import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import { type LeasedEngine, NoEngineError, type SelectRequest } from './engine-selector.js';
import type { OrchestratorLink } from './orchestrator-link.js';
import { noEngineBecause } from './refusal.js';
import type { Reservations } from './reservations.js';
import { selectEngine } from './selection.policy.js';

export interface ListSelectorOptions {
  client: OrchestratorClient;
  link: OrchestratorLink;
  reservations: Reservations;
  proxyId: string;
  maxStreamsPerEngine: number;
  /** To see whether an engine that was started for us answers yet. */
  engineStatus: (address: EngineAddress) => Pick<EngineClient, 'getStatus'>;
  clock: Clock;
  log: Log;
}

/** Between two looks at the list while an engine is being started. */
const LOOK_EVERY_MS = 500;
const FREED_PAUSE_MS = 250;

export class ListSelector {
  /** By id: the engines of the last list that had any, and those leased to us since. */
  private known = new Map<string, EngineState>();

  constructor(private readonly options: ListSelectorOptions) {}

  /**
   * An engine of the list; where none is left one is started (`provision`) and waited for.
   * @throws NoEngineError; OrchestratorError when there is no list; the signal's reason
   */
  async select(request: SelectRequest, { provision }: { provision: boolean }): Promise<LeasedEngine> {
    const { clock, reservations } = this.options;
    let started: string | null = null;
    for (;;) {
      const engine = await this.choose(request, started);
      if (engine) return this.seat(engine, request);
      const left = request.deadline - clock.now();
      if (left <= 0) throw new NoEngineError(started ? 'the engine that was started is not ready yet' : 'none came free in time', 5);
      if (request.onScarce()) {
        await reservations.change(Math.min(left, FREED_PAUSE_MS), request.signal);
        continue;
      }
      if (!provision) throw new NoEngineError('the engines known are all taken', 10);
      started ??= await this.provision(request);
      await reservations.change(Math.min(left, LOOK_EVERY_MS), request.signal);
    }
  }

  /** Asks for the list, so that there is one to fall back on and an orchestrator that was away is found back. @throws OrchestratorError */
  async refresh(signal?: AbortSignal): Promise<EngineState[]> {
    const { client, link } = this.options;
    const { engines, stale } = await client.engines(signal);
    if (stale) link.markAway('the engine list could not be asked for');
    else link.succeeded('engines');
    // An orchestrator that has just started knows no engine yet; where it goes away again, those of before are still the best guess.
    if (engines.length > 0) this.known = new Map(engines.map((engine) => [engine.container_id, engine]));
    return engines;
  }

  /** An engine that was leased to us is one that is known, though no list has shown it yet. */
  learn(engine: EngineState): void {
    if (!this.known.has(engine.container_id)) this.known.set(engine.container_id, engine);
  }

  /** While the orchestrator is away nobody waits for it: the last list serves. */
  private async list(signal: AbortSignal): Promise<EngineState[]> {
    if (!this.options.link.away) return this.refresh(signal);
    if (this.known.size === 0) throw new NoEngineError('the orchestrator is away, and no engine is known', 5);
    return [...this.known.values()];
  }

  private async choose(request: SelectRequest, started: string | null): Promise<EngineState | null> {
    const { reservations, maxStreamsPerEngine, proxyId, log } = this.options;
    const engines = await this.list(request.signal);
    const { engine, considered } = selectEngine(engines, {
      proxyId,
      maxStreamsPerEngine,
      exclude: new Set(request.exclude),
      ownStreams: (id) => reservations.count(id),
      isOurs: (id) => reservations.isOurs(id),
      hasContent: (id) => reservations.hasContent(id, request.content),
    });
    log.debug('engines considered', { stream_id: request.streamId, considered });
    if (!engine || engine.container_id !== started) return engine;
    return (await this.answers(engine, request.signal)) ? engine : null;
  }

  private async answers({ host, port }: EngineState, signal: AbortSignal): Promise<boolean> {
    try {
      await this.options.engineStatus({ host, port }).getStatus(signal);
      return true;
    } catch (error) {
      if (error instanceof EngineError) return false;
      throw error;
    }
  }

  private async provision({ streamId, signal }: SelectRequest): Promise<string> {
    const { client, log } = this.options;
    try {
      const { container_id: id } = await client.provisionAcestream({}, signal);
      log.info('engine started for want of a free one', { stream_id: streamId, engine: id });
      return id;
    } catch (error) {
      if (error instanceof ProvisioningBlockedError) throw noEngineBecause(error);
      if (error instanceof UnauthorizedError)
        throw new NoEngineError('the orchestrator refuses our key (ACEXY_ORCH_APIKEY)', 30, { cause: error });
      throw error;
    }
  }

  private seat(engine: EngineState, { streamId, content }: SelectRequest): LeasedEngine {
    const giveBack = this.options.reservations.reserve(engine.container_id, streamId, content);
    return {
      engineId: engine.container_id,
      containerId: engine.container_id,
      address: { host: engine.host, port: engine.port },
      leaseId: null,
      reason: 'chosen from the engine list',
      release: () => Promise.resolve(giveBack()),
    };
  }
}
