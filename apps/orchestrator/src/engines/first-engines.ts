import { Clock, OneShotTimer } from '@acexy/service-kit/primitives';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EngineRegistry } from './engine-registry.js';
import { EngineSync } from './engine-sync.service.js';

/** Clients ask with timeouts of a few seconds: an answer that waits must arrive well before. */
const LIMIT_MS = 1_500;

/**
 * The engines of an earlier run. After a start the registry is empty until the first list, and an engine is in service only when it has answered.
 * A client that reads `GET /engines` in that moment would start an engine too many, so its answer waits.
 */
@Injectable()
export class FirstEngines implements OnApplicationBootstrap, OnModuleDestroy {
  /** Resolves when they are in service, or none was found, or the runtime is unreachable; at most 1.5 s after the start. */
  readonly inService: Promise<void>;
  private readonly limit: OneShotTimer;
  private readonly unsubscribe: () => void;
  private resolve!: () => void;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly sync: EngineSync,
    clock: Clock,
  ) {
    this.inService = new Promise((resolve) => (this.resolve = resolve));
    this.limit = new OneShotTimer(clock, () => this.finish());
    this.unsubscribe = registry.onChange(() => {
      if (sync.isSynced) this.check();
    });
  }

  onApplicationBootstrap(): void {
    this.limit.set(LIMIT_MS);
    void this.sync.knowsWhatRuns().then(() => this.check());
  }

  onModuleDestroy(): void {
    this.finish();
  }

  private check(): void {
    if (!this.registry.all().some(({ adopted, lifecycle }) => adopted && lifecycle === 'starting')) this.finish();
  }

  private finish(): void {
    this.limit.clear();
    this.unsubscribe();
    this.resolve();
  }
}
