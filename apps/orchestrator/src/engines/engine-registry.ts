import type { HealthStatus } from '@acexy/contracts';
import { type Clock, ListenerSet } from '@acexy/service-kit/primitives';
import { isDeepStrictEqual } from 'node:util';
import type { EngineInstance } from '../runtime/engine-runtime.js';
import type { Drain, Engine, EngineChange, Lifecycle } from './engine.js';

type KnownEngine = { -readonly [K in keyof Engine]: Engine[K] } & {
  addedAt: number;
  /** Monotonic milliseconds of its first answer. */
  answeredAt: number | null;
};

/** The clock of a runtime may be set back by this much before its engines count as restarted. */
const CLOCK_STEP_MS = 200;

/** When a list was requested; a slow runtime may answer much later. */
export interface ListMark {
  sequence: number;
  /** Monotonic milliseconds. */
  at: number;
}

/**
 * Which engines exist, in memory; the API reads from here. It mirrors the runtime: `observe` takes over a complete list, `add` and `gone` take
 * over single changes before the next list.
 */
export class EngineRegistry {
  private readonly engines = new Map<string, KnownEngine>();
  private readonly changes = new ListenerSet<EngineChange>();
  /** When each engine left; kept until no list that was requested earlier can name it. */
  private readonly departed = new Map<string, number>();
  /** Engines that died and whose containers still exist. */
  private readonly dead = new Map<string, KnownEngine>();
  /** Grows with every engine that comes or goes. */
  private sequence = 0;
  private isFirstList = true;
  private generation = 0;
  private sightings = 0;

  private isOutdated: (instance: EngineInstance) => boolean = () => false;

  constructor(private readonly clock: Clock) {}

  /** How to tell whether an engine is made from another image or other settings than a new one. Call it before the first list. */
  judgeOutdated(isOutdated: (instance: EngineInstance) => boolean): void {
    this.isOutdated = isOutdated;
  }

  get(id: string): Engine | undefined {
    return this.engines.get(id);
  }

  /** Grows with every change of an engine except `lastSeen` and `lastHealthCheck`. */
  get version(): number {
    return this.generation;
  }

  /** Grows with every change of an engine. */
  get revision(): number {
    return this.generation + this.sightings;
  }

  /** The AceStream engines, oldest first. */
  all(): readonly Engine[] {
    return [...this.engines.values()].filter((engine) => engine.instance.kind === 'acestream');
  }

  /** The AceStream engines whose API has answered, oldest first. */
  inService(): readonly Engine[] {
    return this.all().filter(({ lifecycle }) => lifecycle !== 'starting');
  }

  /** Everything that the runtime runs for us, including the containers of `POST /provision`. */
  everything(): readonly Engine[] {
    return [...this.engines.values()];
  }

  /** @returns unsubscribes */
  onChange(listener: (change: EngineChange) => void): () => void {
    return this.changes.subscribe(listener);
  }

  /** Adds a running engine; a known one is only updated. */
  add(instance: EngineInstance, { adopted = false } = {}): Engine {
    const known = this.engines.get(instance.id);
    if (known) {
      known.lastSeen = this.clock.wallTime();
      this.sightings++;
      if (!isDeepStrictEqual(known.instance, instance)) this.generation++;
      known.instance = instance;
      known.outdated = this.isOutdated(instance);
      return known;
    }
    const engine = this.newEngine(instance, adopted);
    this.engines.set(engine.id, engine);
    this.dead.delete(engine.id);
    this.emit({ type: 'added', engine, reason: adopted ? 'found running' : 'started' });
    return engine;
  }

  /** Call it before a list is requested, and pass it to `observe` with that list. */
  mark(): ListMark {
    return { sequence: this.sequence, at: this.clock.now() };
  }

  /**
   * Takes over a list of the runtime. Engines that came or went after `mark` stay as they are until the next list.
   * @returns the instances that are not running engines, for the caller to remove
   */
  observe(instances: readonly EngineInstance[], mark: ListMark): EngineInstance[] {
    const listed = new Set(instances.map((instance) => instance.id));
    for (const engine of [...this.engines.values()]) {
      if (!listed.has(engine.id) && engine.addedAt <= mark.sequence) this.gone(engine.id, 'no longer there');
    }
    for (const [id, at] of this.departed) if (at <= mark.sequence) this.departed.delete(id);
    for (const id of [...this.dead.keys()]) if (!listed.has(id)) this.cleared(id, 'no longer there');
    const leftovers: EngineInstance[] = [];
    for (const instance of instances) {
      // A generic container is its owner's to start, stop and remove: it stays known in any state.
      const state = instance.kind === 'generic' ? 'running' : instance.state;
      switch (state) {
        case 'running':
          if (this.hasRestarted(instance, mark)) {
            // Its streams are lost and its API has not answered again: it counts as a new engine with the same id.
            this.leave(instance.id, { reason: 'restarted', restartedSince: this.startedAfter(instance, mark) });
            this.add(instance);
          } else if (!this.departed.has(instance.id)) this.add(instance, { adopted: this.isFirstList });
          break;
        case 'exited':
        case 'created':
          if (this.isFirstList) this.addRemains(instance);
          if (state === 'exited') this.died(instance);
          leftovers.push(instance);
          break;
        default:
          throw new TypeError(`unknown state ${String(state satisfies never)}`);
      }
    }
    this.isFirstList = false;
    return leftovers;
  }

  /** The engine's API has answered. */
  ready(id: string): void {
    const engine = this.engines.get(id);
    if (!engine) return;
    const now = this.clock.now();
    engine.lastHealthCheck = this.clock.wallTime();
    this.sightings++;
    engine.answered = true;
    engine.answeredAt ??= now;
    if (engine.lifecycle !== 'starting') return;
    engine.health = 'healthy';
    engine.healthSince = now;
    // The time it took to start does not count as idle.
    if (engine.idleSince !== null) engine.idleSince = now;
    this.setLifecycle(engine, 'ready');
    this.emit({ type: 'ready', engine });
  }

  /** @param health after the last probe */
  probed(id: string, health: HealthStatus, reason?: string): void {
    const engine = this.engines.get(id);
    if (!engine) return;
    engine.lastHealthCheck = this.clock.wallTime();
    this.sightings++;
    if (engine.health === health) return;
    engine.health = health;
    engine.healthSince = this.clock.now();
    this.emit({ type: 'health', engine, reason });
  }

  /** Whether and why the engine has no network, and whether it has a forwarded port of its VPN. */
  networkSeen(id: string, { cutOff, forwarded }: Pick<Engine, 'cutOff' | 'forwarded'>): void {
    const engine = this.engines.get(id);
    if (!engine) return;
    if (engine.forwarded !== forwarded) this.generation++;
    engine.forwarded = forwarded;
    if (engine.cutOff === cutOff) return;
    engine.cutOff = cutOff;
    this.emit({ type: 'health', engine, reason: cutOff === null ? 'its network is back' : `cut off: ${cutOff}` });
  }

  /** The engine gets no new streams. @returns false if it is unknown or already draining */
  startDraining(id: string, drain: Drain): boolean {
    const engine = this.engines.get(id);
    if (!engine || engine.lifecycle === 'draining') return false;
    engine.drain = drain;
    this.setLifecycle(engine, 'draining');
    this.emit({ type: 'draining', engine, reason: drain.reason });
    return true;
  }

  /** @param inUse whether the engine has a lease or a stream */
  setUsage(id: string, streams: readonly string[], inUse: boolean): void {
    const engine = this.engines.get(id);
    if (!engine) return;
    if (!isDeepStrictEqual(engine.streams, streams)) {
      engine.streams = streams;
      this.generation++;
    }
    if (inUse === (engine.idleSince === null)) return;
    this.generation++;
    engine.lastStreamUsage = this.clock.wallTime();
    engine.idleSince = inUse ? null : this.clock.now();
  }

  /** The runtime no longer has the engine. */
  gone(id: string, reason: string): void {
    this.leave(id, { reason });
    this.cleared(id, reason);
  }

  private died({ id, exitCode }: EngineInstance): void {
    const engine = this.engines.get(id);
    if (!engine) return;
    this.dead.set(id, engine);
    this.leave(id, { reason: `died${exitCode === null ? '' : ` with exit code ${exitCode}`}`, remains: true });
  }

  /** A stopped container of an earlier run may still start: by its restart policy, or because the runtime has not finished a start. */
  private addRemains(instance: EngineInstance): void {
    if (this.engines.has(instance.id)) return;
    const engine = this.newEngine(instance, true);
    this.dead.set(instance.id, engine);
    this.emit({ type: 'remains', engine, reason: `found ${instance.state}` });
  }

  private newEngine(instance: EngineInstance, adopted: boolean): KnownEngine {
    const now = this.clock.now();
    return {
      id: instance.id,
      instance,
      lifecycle: 'starting',
      health: 'unknown',
      forwarded: false,
      cutOff: null,
      adopted,
      outdated: this.isOutdated(instance),
      answered: false,
      answeredAt: null,
      drain: null,
      streams: [],
      firstSeen: adopted ? instance.createdAt : this.clock.wallTime(),
      lastSeen: this.clock.wallTime(),
      lastHealthCheck: null,
      lastStreamUsage: null,
      lifecycleSince: now,
      healthSince: now,
      idleSince: now,
      addedAt: ++this.sequence,
    };
  }

  private leave(id: string, how: Pick<EngineChange, 'reason' | 'remains' | 'restartedSince'>): void {
    const engine = this.engines.get(id);
    if (!engine) return;
    this.engines.delete(id);
    this.setLifecycle(engine, 'gone');
    this.departed.set(id, ++this.sequence);
    this.emit({ type: 'gone', engine, ...how });
  }

  private cleared(id: string, reason: string): void {
    const engine = this.dead.get(id);
    if (!engine) return;
    this.dead.delete(id);
    this.emit({ type: 'cleared', engine, reason });
  }

  /** Whether the engine answered before the earliest moment at which the listed instance can have started. */
  private hasRestarted({ id, maxUptimeMs }: EngineInstance, mark: ListMark): boolean {
    const engine = this.engines.get(id);
    if (!engine || engine.answeredAt === null || maxUptimeMs === null) return false;
    return engine.answeredAt < mark.at - maxUptimeMs - CLOCK_STEP_MS;
  }

  private startedAfter({ maxUptimeMs }: EngineInstance, mark: ListMark): number {
    return this.clock.wallTime() - (this.clock.now() - mark.at) - (maxUptimeMs ?? 0);
  }

  private setLifecycle(engine: KnownEngine, lifecycle: Lifecycle): void {
    engine.lifecycle = lifecycle;
    engine.lifecycleSince = this.clock.now();
  }

  private emit(change: EngineChange): void {
    this.generation++;
    this.changes.emit(change);
  }
}
