import { setMaxListeners } from 'node:events';
import { Log } from '@acexy/service-kit';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock, pause } from '@acexy/service-kit/primitives';
import { type Engine, NEVER_ANSWERED } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineRemover } from '../engines/engine-remover.service.js';
import { EngineClaimBook } from '../leases/engine-claims.js';
import { ProvisioningSettings } from '../provisioning/provisioning-settings.js';
import { EngineProber } from './engine-prober.js';

/** Pause between two probes of a starting engine: viewers wait for it, and a refused connection costs almost nothing. */
const PAUSE_MS = 100;

/**
 * Probes each starting engine at its public address until its API answers. An engine that does not answer within PROVISION_STARTUP_GRACE_S
 * is removed and counts as a failed provision.
 */
@Injectable()
export class StartupProbe implements OnModuleInit, OnModuleDestroy {
  private readonly end = new AbortController();
  private readonly running = new Map<string, Promise<void>>();
  private readonly log: Log;
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly remover: EngineRemover,
    private readonly claims: EngineClaimBook,
    private readonly prober: EngineProber,
    private readonly settings: ProvisioningSettings,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('health');
    // All engines of the pool may start at the same time.
    setMaxListeners(0, this.end.signal);
  }

  onModuleInit(): void {
    this.unsubscribe = this.registry.onChange(({ type, engine }) => {
      if (type !== 'added' || engine.instance.kind !== 'acestream') return;
      const probing = this.probeUntilReady(engine)
        .catch((error: unknown) => {
          if (!this.end.signal.aborted) this.log.error('startup probe failed', { engine_id: engine.id, error });
        })
        .finally(() => this.running.delete(engine.id));
      this.running.set(engine.id, probing);
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.unsubscribe?.();
    this.end.abort();
    await Promise.all(this.running.values());
  }

  private async probeUntilReady(engine: Engine): Promise<void> {
    const { signal } = this.end;
    const deadline = engine.lifecycleSince + this.settings.startupGraceMs;
    for (;;) {
      const failure = await this.prober.probe(engine, signal, { counted: false });
      if (this.registry.get(engine.id)?.lifecycle !== 'starting') return;
      if (failure === null) return this.registry.ready(engine.id);
      if (this.clock.now() >= deadline) return this.giveUp(engine, failure.message);
      await pause(this.clock, PAUSE_MS, signal);
      if (signal.aborted) return;
    }
  }

  private async giveUp(engine: Engine, reason: string): Promise<void> {
    this.log.error('engine startup timed out', { engine_id: engine.id, within_s: this.settings.startupGraceMs / 1000, error: reason });
    // An adopted engine with a viewer may still send media. It stays, as unhealthy, and is drained later.
    if (this.claims.on(engine.id).count > 0) {
      this.registry.ready(engine.id);
      this.registry.probed(engine.id, 'unhealthy', reason);
      return;
    }
    await this.remover.remove(engine.id, NEVER_ANSWERED);
  }
}
