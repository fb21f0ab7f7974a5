import { BLOCKED_CODES, type OperationType } from '@acexy/contracts';
import { counterOf, Log } from '@acexy/service-kit';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { EngineRegistry, wasNeverReady } from '../engines/engine-registry.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import type { EngineInstance } from '../runtime/engine-runtime.js';
import type { ContainerRequest } from './container-spec.plan.js';
import type { EngineRequest } from './engine-spec.plan.js';
import { ProvisioningRefusedError } from './provisioning-refused.error.js';
import { unreachableRefusal } from './refusals.js';
import { OrchestratorSettings } from '../settings.js';
import { newEngineName, type ProvisioningOrigin, ProvisioningService } from './provisioning.service.js';

/** Where provisioning and the registry of engines meet: what is started is known at once, and what is gone gives its ports back. */
@Injectable()
export class EngineStarter implements OnModuleInit, OnModuleDestroy {
  private readonly settledListeners = new Set<() => void>();
  private readonly refusals = counterOf(
    'orch_provision_refused_total',
    'Provisions refused or failed, by the code that the caller is told',
    ['code'],
    BLOCKED_CODES.map((code) => ({ code })),
  );
  private unsubscribe: (() => void) | undefined;
  /** Names of the engines that were ordered and whose start has not come back. */
  private readonly underWay = new Set<string>();

  constructor(
    private readonly provisioning: ProvisioningService,
    private readonly registry: EngineRegistry,
    private readonly sync: EngineSync,
    private readonly settings: OrchestratorSettings,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    this.unsubscribe = this.registry.onChange(({ type, engine, remains }) => {
      switch (type) {
        case 'added':
        case 'remains':
          this.provisioning.adopt([engine.instance]);
          break;
        case 'ready':
          this.provisioning.recordReadiness(engine.id, 'ready');
          break;
        case 'gone':
          if (wasNeverReady(engine)) this.provisioning.recordReadiness(engine.id, 'never_ready');
          // One that may be brought up again wants its ports then, and counts until it is cleared away.
          if (!remains) this.provisioning.releasePorts(engine.instance);
          break;
        case 'cleared':
          this.provisioning.releasePorts(engine.instance);
          break;
        case 'draining':
        case 'health':
          break;
        default:
          this.log.error(`unknown change ${String(type satisfies never)}`);
      }
    });
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
  }

  /** Engines that were ordered and are not in the registry yet. */
  get pending(): number {
    let known = 0;
    // A runtime shows an engine before its start comes back: it is one engine all the same.
    if (this.underWay.size > 0) for (const { instance } of this.registry.all()) if (this.underWay.has(instance.name)) known++;
    return this.underWay.size - known;
  }

  /** Calls back when a start has come to its end, good or bad, until the returned function is called. */
  onSettled(listener: () => void): () => void {
    this.settledListeners.add(listener);
    return () => this.settledListeners.delete(listener);
  }

  /**
   * Starts an engine; resolves when it runs and is in the registry.
   * @throws ProvisioningRefusedError
   */
  async start(request: EngineRequest, origin: ProvisioningOrigin, operation: OperationType = 'general'): Promise<EngineInstance> {
    const name = newEngineName();
    this.underWay.add(name);
    try {
      if (!this.sync.isSynced) await this.knowing();
      const instance = await this.provisioning.provision(request, origin, operation, name);
      this.registry.add(instance);
      return instance;
    } catch (error) {
      throw this.counted(error);
    } finally {
      this.underWay.delete(name);
      for (const listener of this.settledListeners) listener();
    }
  }

  /**
   * Starts a container that is no engine.
   * @throws ProvisioningRefusedError
   */
  async startContainer(request: ContainerRequest): Promise<EngineInstance> {
    try {
      if (!this.sync.isSynced) await this.knowing();
      const instance = await this.provisioning.provisionContainer(request);
      this.registry.add(instance);
      return instance;
    } catch (error) {
      throw this.counted(error);
    }
  }

  private counted(error: unknown): unknown {
    if (error instanceof ProvisioningRefusedError) this.refusals.inc({ code: error.code });
    return error;
  }

  /** What an earlier run left counts and has its ports: nothing is started before that is known. */
  private async knowing(): Promise<void> {
    if (!(await this.sync.knowsWhatRuns())) throw unreachableRefusal(this.settings.monitorIntervalMs);
  }
}
