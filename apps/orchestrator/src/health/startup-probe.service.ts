import { setMaxListeners } from 'node:events';
import { Log } from '@acexy/service-kit';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock, pause } from '@acexy/service-kit/primitives';
import { type Engine, EngineRegistry, NEVER_ANSWERED } from '../engines/engine-registry.js';
import { EngineRemover } from '../engines/engine-remover.service.js';
import { LeaseService } from '../leases/lease.service.js';
import { OrchestratorSettings } from '../settings.js';
import { EngineProber } from './engine-prober.js';

/** The pause between two questions to an engine that starts: viewers wait for the answer, and a refused connection costs next to nothing. */
const PAUSE_MS = 100;

/**
 * Waits for each engine that starts until its API answers at the address that will be given out. One that has not within
 * PROVISION_STARTUP_GRACE_S is removed and counts as a failed provision.
 */
@Injectable()
export class StartupProbe implements OnModuleInit, OnModuleDestroy {
  private readonly end = new AbortController();
  private readonly watches = new Map<string, Promise<void>>();
  private readonly log: Log;
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly remover: EngineRemover,
    private readonly leases: LeaseService,
    private readonly prober: EngineProber,
    private readonly settings: OrchestratorSettings,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('health');
    // As many engines may start at the same time as there may be.
    setMaxListeners(0, this.end.signal);
  }

  onModuleInit(): void {
    this.unsubscribe = this.registry.onChange(({ type, engine }) => {
      if (type !== 'added' || engine.instance.kind !== 'acestream') return;
      const watch = this.watch(engine)
        .catch((error: unknown) => {
          if (!this.end.signal.aborted) this.log.error('watching an engine start failed', { engine_id: engine.id, error });
        })
        .finally(() => this.watches.delete(engine.id));
      this.watches.set(engine.id, watch);
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.unsubscribe?.();
    this.end.abort();
    await Promise.all(this.watches.values());
  }

  private async watch(engine: Engine): Promise<void> {
    const deadline = engine.lifecycleSince + this.settings.startupGraceMs;
    for (;;) {
      const failure = await this.prober.probe(engine, this.end.signal, { counted: false });
      if (this.registry.get(engine.id)?.lifecycle !== 'starting') return;
      if (failure === null) return this.registry.ready(engine.id);
      if (this.clock.now() >= deadline) return this.giveUp(engine, failure.message);
      await pause(this.clock, PAUSE_MS, this.end.signal);
      if (this.end.signal.aborted) return;
    }
  }

  private async giveUp(engine: Engine, why: string): Promise<void> {
    this.log.error('engine never answered', { engine_id: engine.id, within_s: this.settings.startupGraceMs / 1000, why });
    // Taken over from an earlier run with somebody watching: its media may well flow. It stays, as unhealthy, and is drained in time.
    if (this.leases.claimCount(engine.id) > 0) {
      this.registry.ready(engine.id);
      this.registry.probed(engine.id, 'unhealthy', why);
      return;
    }
    await this.remover.remove(engine.id, NEVER_ANSWERED);
  }
}
