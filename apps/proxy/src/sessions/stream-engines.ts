/** The engines of one stream: the one that feeds it or is being tried, and those that have not been given back yet. */
import type { EngineAddress } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import type { LeasedEngine } from '../selection/engine-selector.js';
import { type EngineApiFactory, EngineSession, type StopOutcome } from './engine-session.js';

export interface StreamEnginesOptions {
  engineApi: EngineApiFactory;
  clock: Clock;
  log: Log;
  /** Another engine is in use, or one has been given back. */
  onChange(): void;
  onClosed(outcome: StopOutcome): void;
}

export class StreamEngines {
  private readonly held = new Set<EngineSession>();
  private inUse: EngineSession | null = null;

  constructor(private readonly options: StreamEnginesOptions) {}

  /** The one in use or being tried; null while there is none. */
  get current(): EngineSession | null {
    return this.inUse;
  }

  /** One or more have not been given back. */
  get any(): boolean {
    return this.held.size > 0;
  }

  /** Whether the engine has not been given back. */
  includes({ host, port }: EngineAddress): boolean {
    return [...this.held].some(({ seat }) => seat.address.host === host && seat.address.port === port);
  }

  /** Takes over a seat. `inUse`: the stream has no other one; else the old one still feeds it. */
  open(seat: LeasedEngine, inUse: boolean): EngineSession {
    const { engineApi, clock, log, onChange, onClosed } = this.options;
    log.info('engine chosen', { engine: seat.engineId, ...seat.address, lease_id: seat.leaseId, reason: seat.reason });
    const engine = new EngineSession(seat, engineApi(seat.address), {
      clock,
      log,
      onClosed: (outcome) => {
        this.held.delete(engine);
        // Given back: another stream may have it, so it is not named as ours any more.
        if (this.inUse === engine) this.inUse = null;
        onClosed(outcome);
        onChange();
      },
    });
    this.held.add(engine);
    if (inUse) this.inUse = engine;
    onChange();
    return engine;
  }

  /** The engine feeds the stream. */
  use(engine: EngineSession): void {
    this.inUse = engine;
  }

  /** Gives up waiting for those that have not answered their start yet. */
  abandon(): void {
    for (const engine of this.held) engine.abandon();
  }

  /** Resolves when every one was told to stop and given back. Never rejects. */
  async close(): Promise<void> {
    await Promise.all([...this.held].map((engine) => engine.close()));
  }
}
