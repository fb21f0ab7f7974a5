import { Log } from '@acexy/service-kit';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock, ListenerSet, OneShotTimer, retryDelayMs, WakeableLoop } from '@acexy/service-kit/primitives';
import { ENGINE_RUNTIME, type EngineInstance, type EngineRuntime, type RuntimeEvent } from '../runtime/engine-runtime.js';
import { RuntimeSettings } from '../runtime/runtime-settings.js';
import { PoolSettings } from './pool-settings.js';
import { RetrySettings } from './retry-settings.js';
import type { EngineChange } from './engine.js';
import { EngineRegistry } from './engine-registry.js';
import { EngineRemover } from './engine-remover.service.js';
import { EventCoverage } from './event-coverage.js';

/** Minimum time between two lists: events come in bursts (one removed engine causes several), and one list covers them all. */
const GAP_MS = 200;
/** Docker sends the event of a death before its list shows it; for this long a list that still shows the engine as running is repeated. */
const LIST_LAG_MS = 1_000;
/** `docker restart` and a restart policy start a stopped engine again in less time. */
const DEAD_GRACE_MS = 3_000;
/** Time for an engine to end before it is killed, at shutdown. */
const EXIT_GRACE_MS = 3_000;

const RUNTIME_UNREACHABLE = 'container runtime unreachable';

const CHANGE_TEXTS: Record<EngineChange['type'], string> = {
  added: 'engine added',
  ready: 'engine ready',
  draining: 'engine draining',
  health: 'engine health changed',
  gone: 'engine gone',
  remains: 'stopped engine found',
  cleared: 'stopped engine removed',
};

/**
 * Keeps the registry in sync with the runtime: one list per round, and a round on every event and at least every MONITOR_INTERVAL_S. The first list
 * adopts the engines of an earlier run.
 */
@Injectable()
export class EngineSync implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  private readonly loop: WakeableLoop;
  private readonly log: Log;
  private unsubscribe: (() => void) | undefined;
  private reached: boolean | null = null;
  private problem: string | null = null;
  /** Lists in a row that failed. */
  private misses = 0;
  private readonly reachChanges = new ListenerSet();
  /** When each stopped engine of the last list was first seen stopped, in monotonic milliseconds. */
  private stoppedSince = new Map<string, number>();
  private readonly secondList: OneShotTimer;
  /** Time of the death event of engines that no list has shown as dead yet, monotonic milliseconds. */
  private readonly deathEvents = new Map<string, number>();
  private readonly coverage = new EventCoverage();
  /** Resolves after the first list; never while the runtime is unreachable. */
  readonly firstSync: Promise<void>;
  private markSynced!: () => void;
  private everSynced = false;

  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly registry: EngineRegistry,
    private readonly remover: EngineRemover,
    private readonly runtimeSettings: RuntimeSettings,
    private readonly retries: RetrySettings,
    private readonly pool: PoolSettings,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('sync');
    this.firstSync = new Promise((resolve) => (this.markSynced = resolve));
    this.secondList = new OneShotTimer(clock, () => this.loop.wake());
    this.loop = new WakeableLoop({
      name: 'engine sync',
      intervalMs: pool.monitorIntervalMs,
      gapMs: GAP_MS,
      round: () => this.round(),
      log: this.log,
    });
  }

  /** @throws if the runtime cannot be used at all; the service then ends with the reason */
  async onModuleInit(): Promise<void> {
    await this.runtime.open();
    this.unsubscribe = this.runtime.watch((event) => this.onEvent(event));
    this.registry.onChange(({ type, engine, reason }) =>
      this.log.info(CHANGE_TEXTS[type], { engine_id: engine.id, name: engine.instance.name, health: engine.health, reason }),
    );
  }

  /** Requests the first list. Subscribe to the registry before: the first list adopts engines. */
  start(): void {
    this.loop.start();
  }

  /** Whether there was a first list. */
  get isSynced(): boolean {
    return this.everSynced;
  }

  /**
   * Resolves after the first list, or when it failed. Until then nothing may be started, or there would be too many engines.
   * @returns whether there was a first list
   */
  async knowsWhatRuns(): Promise<boolean> {
    if (!this.everSynced && this.reached === null) {
      let unsubscribe = (): void => undefined;
      const firstAnswer = new Promise<void>((resolve) => (unsubscribe = this.onReachChange(resolve)));
      await Promise.race([this.firstSync, firstAnswer]);
      unsubscribe();
    }
    return this.everSynced;
  }

  /** Why the runtime is unreachable, as the log says it; null while it answers, and before the first list. */
  get runtimeProblem(): string | null {
    return this.problem === null ? null : `${RUNTIME_UNREACHABLE}: ${this.problem}`;
  }

  /** Whether engines change and the runtime sends no events of it: changes are then noticed only every MONITOR_INTERVAL_S. */
  get eventsMissing(): boolean {
    return this.coverage.eventsMissing;
  }

  /** Calls back when the runtime becomes unreachable or reachable. @returns unsubscribes */
  onReachChange(listener: () => void): () => void {
    return this.reachChanges.subscribe(listener);
  }

  /**
   * Removes everything that is not running at once, including containers of `POST /provision`; for `POST /gc`.
   * @returns the ids of the removed containers
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
    this.secondList.clear();
    await this.loop.stop();
  }

  /** After all removals have ended. Engines keep running unless STOP_ENGINES_ON_EXIT is set. */
  async onApplicationShutdown(): Promise<void> {
    await this.remover.settled();
    if (this.runtimeSettings.stopEnginesOnExit) await this.removeAll();
    await this.runtime.close();
  }

  private async removeAll(): Promise<void> {
    try {
      const engines = await this.runtime.list();
      this.log.info('removing all engines', { engines: engines.length });
      await Promise.all(engines.map(({ id }) => this.runtime.remove(id, EXIT_GRACE_MS)));
    } catch (error) {
      this.log.error('engine removal at exit failed', { error });
    }
  }

  /** @returns milliseconds until the next list, if that is sooner than the interval */
  private async round(): Promise<number | void> {
    const mark = this.registry.mark();
    let instances: EngineInstance[];
    try {
      instances = await this.runtime.list();
    } catch (error) {
      this.problem = (error as Error).message;
      if (this.reached !== false) this.log.warn(RUNTIME_UNREACHABLE, { error: this.problem });
      this.setReached(false);
      return retryDelayMs(++this.misses, this.retries) ?? undefined;
    }
    this.misses = 0;
    this.problem = null;
    this.compareWithEvents(instances);
    const leftovers = this.leftoversOf(this.registry.observe(instances, mark));
    if (this.reached === false) this.log.info('container runtime reachable', { engines: instances.length });
    // After the registry is up to date, because listeners act on it.
    this.setReached(true);
    this.everSynced = true;
    this.markSynced();
    await this.clearAway(leftovers);
    if (this.lagsBehind(instances)) return GAP_MS;
  }

  private onEvent(event: RuntimeEvent): void {
    if (event.type === 'died') this.deathEvents.set(event.id, this.clock.now());
    else if (event.type === 'started' || event.type === 'removed') this.deathEvents.delete(event.id);
    const wereMissing = this.coverage.eventsMissing;
    this.coverage.heard(event, this.clock.now());
    if (wereMissing && !this.coverage.eventsMissing) this.log.info('runtime events received again');
    this.loop.wake();
  }

  private compareWithEvents(instances: readonly EngineInstance[]): void {
    const wereMissing = this.coverage.eventsMissing;
    this.coverage.listed(instances, this.clock.now());
    if (this.coverage.eventsMissing && !wereMissing)
      this.log.warn('runtime events missing', {
        effect: `changes of engines are noticed only every ${this.pool.monitorIntervalMs / 1000} s (MONITOR_INTERVAL_S)`,
        advice: 'let GET /events pass through every filter in front of Docker',
      });
  }

  /** Whether the list still shows an engine as running after its death event. */
  private lagsBehind(instances: readonly EngineInstance[]): boolean {
    const running = new Set(instances.filter(({ state }) => state === 'running').map(({ id }) => id));
    for (const [id, at] of this.deathEvents) if (!running.has(id) || this.clock.now() - at > LIST_LAG_MS) this.deathEvents.delete(id);
    return this.deathEvents.size > 0;
  }

  private async clearAway(leftovers: readonly EngineInstance[]): Promise<void> {
    const removals = await Promise.allSettled(
      leftovers.map((instance) => this.remover.remove(instance.id, `found dead: ${instance.state}`)),
    );
    for (const removal of removals) {
      if (removal.status === 'rejected') this.log.warn('removing dead engine failed', { error: removal.reason as Error });
    }
  }

  private setReached(reached: boolean): void {
    const changed = this.reached !== reached;
    this.reached = reached;
    if (changed) this.reachChanges.emit();
  }

  /**
   * The stopped engines that will not start by themselves. An engine that an operator or its restart policy restarts is stopped only for a moment, so
   * each is checked again after a grace period. One that was created and never started belongs to a start under way, unless it is old.
   */
  private leftoversOf(stopped: readonly EngineInstance[]): EngineInstance[] {
    const now = this.clock.now();
    const seen = new Map(stopped.map(({ id }) => [id, this.stoppedSince.get(id) ?? now]));
    this.stoppedSince = seen;
    this.secondList.clear();
    if ([...seen.values()].some((since) => now - since < DEAD_GRACE_MS)) this.secondList.set(DEAD_GRACE_MS);
    return stopped.filter(({ id, state, createdAt }) => {
      if (now - (seen.get(id) ?? now) < DEAD_GRACE_MS) return false;
      return state === 'exited' || this.clock.wallTime() - createdAt > this.runtimeSettings.startupTimeoutMs * 2;
    });
  }
}
