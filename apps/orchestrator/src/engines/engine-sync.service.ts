import { Log } from '@acexy/service-kit';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock, retryDelayMs, WakeableLoop } from '@acexy/service-kit/primitives';
import { ENGINE_RUNTIME, type EngineInstance, type EngineRuntime, type RuntimeEvent } from '../runtime/engine-runtime.js';
import { OrchestratorSettings } from '../settings.js';
import { EngineRegistry } from './engine-registry.js';
import { EngineRemover } from './engine-remover.service.js';

/** Events of the runtime come in bursts (one engine that goes makes several); one list answers them all. */
const GAP_MS = 200;
/** Docker tells of a death some milliseconds before its own list shows it: for so long a list that does not is not believed. */
const LIST_LAGS_MS = 1_000;
/** `docker restart` and a restart policy take less between the end of an engine and its next start. */
const DEAD_GRACE_MS = 3_000;
/** For an engine to end by itself when the whole service ends. */
const EXIT_GRACE_MS = 3_000;

/**
 * Keeps the registry a picture of the runtime: one list per round, a round on every event and at the latest every MONITOR_INTERVAL_S.
 * The first list takes over what an earlier run left running.
 */
@Injectable()
export class EngineSync implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  private readonly loop: WakeableLoop;
  private readonly log: Log;
  private unsubscribe: (() => void) | undefined;
  private reached: boolean | null = null;
  /** Looks in a row that failed. */
  private misses = 0;
  private readonly reachListeners = new Set<() => void>();
  /** Since when each engine of the last list does not run, monotonic milliseconds. */
  private idleSince = new Map<string, number>();
  private secondLook: NodeJS.Timeout | undefined;
  /** Engines that died and that no list has shown as dead yet: when that was told, monotonic milliseconds. */
  private readonly toldDead = new Map<string, number>();
  private readonly synced: Promise<void>;
  private markSynced!: () => void;
  private everSynced = false;

  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly registry: EngineRegistry,
    private readonly remover: EngineRemover,
    private readonly settings: OrchestratorSettings,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('sync');
    this.synced = new Promise((resolve) => {
      this.markSynced = () => {
        this.everSynced = true;
        resolve();
      };
    });
    this.loop = new WakeableLoop({
      name: 'engine sync',
      intervalMs: settings.monitorIntervalMs,
      gapMs: GAP_MS,
      round: () => this.round(),
      log: this.log,
    });
  }

  /** @throws where the runtime cannot be had at all: the service then ends with the reason */
  async onModuleInit(): Promise<void> {
    await this.runtime.open();
    this.unsubscribe = this.runtime.watch((event) => this.told(event));
    this.registry.onChange(({ type, engine, reason }) =>
      this.log.info(`engine ${type}`, { engine_id: engine.id, name: engine.instance.name, health: engine.health, reason }),
    );
  }

  /** Begins to look; the first look is what adopts engines, so whoever wants to hear of them subscribes before. */
  start(): void {
    this.loop.start();
  }

  /** Resolves after the first list; never where the runtime stays out of reach. */
  get firstSync(): Promise<void> {
    return this.synced;
  }

  /** Whether there was a first list. */
  get isSynced(): boolean {
    return this.everSynced;
  }

  /**
   * Resolves when it is known what runs already, or that this cannot be known now: until then nothing may be started, or there would be
   * too many. @returns whether it is known
   */
  async knowsWhatRuns(): Promise<boolean> {
    if (!this.everSynced && this.reached === null) {
      let unsubscribe = (): void => undefined;
      const reachTold = new Promise<void>((resolve) => (unsubscribe = this.onReachChange(resolve)));
      await Promise.race([this.synced, reachTold]);
      unsubscribe();
    }
    return this.everSynced;
  }

  /** Whether the runtime answered the last list; null before the first. */
  get runtimeReached(): boolean | null {
    return this.reached;
  }

  /** Calls back when the runtime went out of reach or is back, until the returned function is called. */
  onReachChange(listener: () => void): () => void {
    this.reachListeners.add(listener);
    return () => this.reachListeners.delete(listener);
  }

  /**
   * Looks for what does not run, containers of `POST /provision` included, and removes it at once: for a collection by hand, which waits for
   * no grace. @returns the ids of those that are gone
   * @throws RuntimeFailedError
   */
  async collectDead(): Promise<string[]> {
    const dead = (await this.runtime.list()).filter(({ state }) => state === 'exited');
    await this.clearAway(dead);
    const left = new Set((await this.runtime.list()).map(({ id }) => id));
    return dead.map(({ id }) => id).filter((id) => !left.has(id));
  }

  async onModuleDestroy(): Promise<void> {
    this.unsubscribe?.();
    clearTimeout(this.secondLook);
    await this.loop.stop();
  }

  /** Last of all, when whoever still removed an engine is done. Engines run on, unless the setting says otherwise. */
  async onApplicationShutdown(): Promise<void> {
    await this.remover.settled();
    if (this.settings.stopEnginesOnExit) await this.removeAll();
    await this.runtime.close();
  }

  private async removeAll(): Promise<void> {
    try {
      const engines = await this.runtime.list();
      this.log.info('removing all engines (STOP_ENGINES_ON_EXIT)', { engines: engines.length });
      await Promise.all(engines.map(({ id }) => this.runtime.remove(id, EXIT_GRACE_MS)));
    } catch (error) {
      this.log.error('some engines could not be removed; the next start takes them over', { error });
    }
  }

  /** @returns when to look again after one that failed, if that is sooner than the interval */
  private async round(): Promise<number | void> {
    const mark = this.registry.mark();
    let instances: EngineInstance[];
    try {
      instances = await this.runtime.list();
    } catch (error) {
      if (this.reached !== false) this.log.warn('what runs the engines is out of reach', { reason: (error as Error).message });
      this.setReached(false);
      return retryDelayMs(++this.misses, this.settings) ?? undefined;
    }
    this.misses = 0;
    const leftovers = this.leftoversOf(this.registry.observe(instances, mark));
    if (this.reached === false) this.log.info('what runs the engines is in reach', { engines: instances.length });
    // After the picture is right again: whoever hears of it acts on it.
    this.setReached(true);
    this.markSynced();
    await this.clearAway(leftovers);
    if (this.lagsBehind(instances)) return GAP_MS;
  }

  private told(event: RuntimeEvent): void {
    if (event.type === 'died') this.toldDead.set(event.id, this.clock.now());
    else if (event.type === 'started' || event.type === 'removed') this.toldDead.delete(event.id);
    this.loop.wake();
  }

  /** Whether the list still shows an engine as running that has just died. */
  private lagsBehind(instances: readonly EngineInstance[]): boolean {
    const running = new Set(instances.filter(({ state }) => state === 'running').map(({ id }) => id));
    for (const [id, at] of this.toldDead) if (!running.has(id) || this.clock.now() - at > LIST_LAGS_MS) this.toldDead.delete(id);
    return this.toldDead.size > 0;
  }

  private async clearAway(leftovers: readonly EngineInstance[]): Promise<void> {
    const removals = await Promise.allSettled(leftovers.map((instance) => this.remover.remove(instance.id, `leftover, ${instance.state}`)));
    for (const removal of removals) {
      if (removal.status === 'rejected')
        this.log.warn('a leftover could not be removed, trying again later', { error: removal.reason as Error });
    }
  }

  private setReached(reached: boolean): void {
    const changed = this.reached !== reached;
    this.reached = reached;
    if (changed) for (const listener of this.reachListeners) listener();
  }

  /**
   * What does not run and will not by itself. An engine that an operator or its restart policy brings up again is dead for a moment only,
   * so that each is looked at again after a while; one that was created and never started belongs to a start under way, unless it is old.
   */
  private leftoversOf(idle: readonly EngineInstance[]): EngineInstance[] {
    const now = this.clock.now();
    const seen = new Map(idle.map(({ id }) => [id, this.idleSince.get(id) ?? now]));
    this.idleSince = seen;
    clearTimeout(this.secondLook);
    if ([...seen.values()].some((since) => now - since < DEAD_GRACE_MS))
      this.secondLook = setTimeout(() => this.loop.wake(), DEAD_GRACE_MS);
    return idle.filter(({ id, state, createdAt }) => {
      if (now - (seen.get(id) ?? now) < DEAD_GRACE_MS) return false;
      return state === 'exited' || this.clock.wallTime() - createdAt > this.settings.startupTimeoutMs * 2;
    });
  }
}
