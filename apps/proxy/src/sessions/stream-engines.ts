/** The engines of one session: the one in use or being tried, and those that are not released yet. */
import type { EngineAddress } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import type { LeasedEngine } from '../selection/engine-selector.js';
import { EngineSession } from './engine-session.js';
import type { SessionContext } from './session-context.js';

export class StreamEngines {
  private readonly unreleased = new Set<EngineSession>();
  private inUse: EngineSession | null = null;

  constructor(
    private readonly context: Pick<SessionContext, 'engineApi' | 'clock' | 'emit'>,
    private readonly log: Log,
  ) {}

  /** The engine in use or being tried; null while there is none. */
  get current(): EngineSession | null {
    return this.inUse;
  }

  get anyUnreleased(): boolean {
    return this.unreleased.size > 0;
  }

  /** The engine session at this address that is not released yet; null when there is none. */
  at({ host, port }: EngineAddress): EngineSession | null {
    for (const engine of this.unreleased) {
      const { address } = engine.leased;
      if (address.port === port && address.host === host) return engine;
    }
    return null;
  }

  /** `inUse`: it becomes the {@link current} engine at once; else when it is passed to {@link use}. */
  open(leased: LeasedEngine, inUse: boolean): EngineSession {
    const { engineApi, clock, emit } = this.context;
    const { engineId, address, leaseId, reason } = leased;
    this.log.info('engine chosen', { engine_id: engineId, ...address, lease_id: leaseId, reason });
    const engine = new EngineSession(leased, engineApi(address), {
      clock,
      log: this.log,
      onClosed: (outcome) => {
        this.unreleased.delete(engine);
        // Another session may have the engine now, so reports no longer name it for this one.
        if (this.inUse === engine) this.inUse = null;
        emit({ type: 'engine_closed', outcome });
        emit({ type: 'changed' });
      },
    });
    this.unreleased.add(engine);
    if (inUse) this.inUse = engine;
    emit({ type: 'changed' });
    return engine;
  }

  use(engine: EngineSession): void {
    this.inUse = engine;
  }

  /** Stops waiting for engines that have not answered their start. */
  abandon(): void {
    for (const engine of this.unreleased) engine.abandon();
  }

  /** Resolves when every engine is stopped and released. Never rejects. */
  async close(): Promise<void> {
    await Promise.all([...this.unreleased].map((engine) => engine.close()));
  }
}
