import type { HealthStatus } from '@acexy/contracts';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '@acexy/service-kit/primitives';
import type { EngineInstance } from '../runtime/engine-runtime.js';

/**
 * `starting`: runs, its API has not answered yet. `ready`: it has. `draining`: gets no new streams and is removed when empty or at its
 * deadline. `gone`: the runtime has it no more; only seen by listeners.
 */
export const LIFECYCLES = ['starting', 'ready', 'draining'] as const;
export type Lifecycle = (typeof LIFECYCLES)[number] | 'gone';

export interface Engine {
  readonly id: string;
  readonly instance: EngineInstance;
  readonly lifecycle: Lifecycle;
  readonly health: HealthStatus;
  /** True for the one engine that has the forwarded port of a VPN. */
  readonly forwarded: boolean;
  /** Why it reaches nobody although it runs (its VPN is down), or null. */
  readonly cutOff: string | null;
  /** Found by the first look at the runtime: an earlier run of ours started it. */
  readonly adopted: boolean;
  /** Its API has answered at least once. */
  readonly answered: boolean;
  readonly drain: Drain | null;
  /** Milliseconds since the epoch. */
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly lastHealthCheck: number | null;
  readonly lastStreamUsage: number | null;
  /** Monotonic milliseconds. */
  readonly lifecycleSince: number;
  readonly healthSince: number;
  /** Monotonic milliseconds since which nothing plays on it; null while something does. */
  readonly idleSince: number | null;
}

export interface Drain {
  reason: string;
  /** Milliseconds since the epoch; then it is removed, playing or not. */
  deadline: number;
}

export interface EngineChange {
  /**
   * `cleared`: what was left of one that died is removed; until then it may be brought up again and keeps its name and ports. `remains`: found so
   * by the first look, an engine of an earlier run.
   */
  type: 'added' | 'ready' | 'draining' | 'health' | 'gone' | 'remains' | 'cleared';
  engine: Engine;
  reason?: string;
  /** Of `gone`: its container is still there, dead; `cleared` follows unless it is brought up again. */
  remains?: boolean;
  /** Of `gone`: it runs again already, since this moment at the earliest (milliseconds since the epoch); `added` follows. */
  againSince?: number;
}

/** An engine that went by itself, or was given up, before it ever answered. */
export function wasNeverReady({ answered, drain, instance }: Engine): boolean {
  return instance.kind === 'acestream' && !answered && (drain === null || drain.reason === NEVER_ANSWERED);
}

/** Why an engine is removed that did not answer in time. */
export const NEVER_ANSWERED = 'never answered after its start';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type KnownEngine = Mutable<Engine> & { addedAt: number; /** Monotonic milliseconds of its first answer. */ answeredAt: number | null };

/** How much a runtime's clock may be set back without its engines looking restarted. */
const CLOCK_STEP_MS = 200;

/** The moment before a list was asked for, which may be long ago when a slow runtime answers. */
export interface ListMark {
  sequence: number;
  /** Monotonic milliseconds. */
  at: number;
}

/**
 * Which engines there are, in memory: what every read of the API is answered from. A picture of the runtime: `observe` brings it up to
 * date with a list, `add` and `gone` are the short cuts.
 */
export class EngineRegistry {
  private readonly engines = new Map<string, KnownEngine>();
  private readonly listeners = new Set<(change: EngineChange) => void>();
  /** When each engine went, as long as a list begun earlier could still name it. */
  private readonly departed = new Map<string, number>();
  /** Engines that died and whose containers are still there. */
  private readonly dead = new Map<string, KnownEngine>();
  /** Grows with every engine that comes or goes. */
  private sequence = 0;
  private firstLook = true;
  private generation = 0;

  constructor(private readonly clock: Clock) {}

  get(id: string): Engine | undefined {
    return this.engines.get(id);
  }

  /** Grows with every change of an engine, except for its mere sightings (`lastSeen`, `lastHealthCheck`). */
  get version(): number {
    return this.generation;
  }

  /** The engines that can be leased or will be, oldest first. */
  all(): readonly Engine[] {
    return [...this.engines.values()].filter((engine) => engine.instance.kind === 'acestream');
  }

  /** Everything the runtime runs for us, the containers of `POST /provision` included. */
  everything(): readonly Engine[] {
    return [...this.engines.values()];
  }

  /** Calls back on every change until the returned function is called. */
  onChange(listener: (change: EngineChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** An engine that runs; one that is known already is only seen again. */
  add(instance: EngineInstance, { adopted = false } = {}): Engine {
    const known = this.engines.get(instance.id);
    if (known) {
      this.see(known, instance);
      return known;
    }
    const engine = this.newEngine(instance, adopted);
    this.engines.set(engine.id, engine);
    this.dead.delete(engine.id);
    this.emit({ type: 'added', engine, reason: adopted ? 'found running' : 'started' });
    return engine;
  }

  /** Taken before a list is asked for, and given to `observe` with its answer. */
  mark(): ListMark {
    return { sequence: this.sequence, at: this.clock.now() };
  }

  /**
   * Takes over a list of the runtime. What came or went while the list was under way is left as it is: the next list tells.
   * @returns the instances that are no running engines, for the caller to clear away
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
      if (instance.kind === 'generic') {
        // Its owner's to start, stop and remove: it stays known, whatever its state.
        if (!this.departed.has(instance.id)) this.add(instance, { adopted: this.firstLook });
        continue;
      }
      switch (instance.state) {
        case 'running':
          if (this.hasRestarted(instance, mark)) {
            // All it played is lost, and its API has yet to answer: another engine in all but its name.
            this.leave(instance.id, { reason: 'restarted', againSince: this.startedAfter(instance, mark) });
            this.add(instance);
          } else if (!this.departed.has(instance.id)) this.add(instance, { adopted: this.firstLook });
          break;
        case 'exited':
          if (this.firstLook) this.remains(instance);
          this.died(instance);
          leftovers.push(instance);
          break;
        case 'created':
          if (this.firstLook) this.remains(instance);
          leftovers.push(instance);
          break;
        default:
          throw new TypeError(`unknown state ${String(instance.state satisfies never)}`);
      }
    }
    this.firstLook = false;
    return leftovers;
  }

  /** The engine's API has answered. */
  ready(id: string): void {
    const engine = this.engines.get(id);
    if (!engine) return;
    engine.lastHealthCheck = this.clock.wallTime();
    engine.answered = true;
    engine.answeredAt ??= this.clock.now();
    if (engine.lifecycle !== 'starting') return;
    engine.health = 'healthy';
    engine.healthSince = this.clock.now();
    // It could not be used before: its boot is no idleness.
    if (engine.idleSince !== null) engine.idleSince = this.clock.now();
    this.move(engine, 'ready');
    this.emit({ type: 'ready', engine });
  }

  /** What the last probe means for the engine's health. */
  probed(id: string, health: HealthStatus, reason?: string): void {
    const engine = this.engines.get(id);
    if (!engine) return;
    engine.lastHealthCheck = this.clock.wallTime();
    if (engine.health === health) return;
    engine.health = health;
    engine.healthSince = this.clock.now();
    this.emit({ type: 'health', engine, reason });
  }

  /** What is known of its network: whether it is cut off and why, and whether it has the forwarded port of its VPN. */
  networkSeen(id: string, { cutOff, forwarded }: Pick<Engine, 'cutOff' | 'forwarded'>): void {
    const engine = this.engines.get(id);
    if (!engine) return;
    if (engine.forwarded !== forwarded) this.generation++;
    engine.forwarded = forwarded;
    if (engine.cutOff === cutOff) return;
    engine.cutOff = cutOff;
    this.emit({ type: 'health', engine, reason: cutOff === null ? 'its network is back' : `cut off: ${cutOff}` });
  }

  /** No new streams from here on; false where it was draining already or is not known. */
  startDraining(id: string, drain: Drain): boolean {
    const engine = this.engines.get(id);
    if (!engine || engine.lifecycle === 'draining') return false;
    engine.drain = drain;
    this.move(engine, 'draining');
    this.emit({ type: 'draining', engine, reason: drain.reason });
    return true;
  }

  /** Tells when something plays on the engine (`busy`) and when it stopped. */
  used(id: string, busy: boolean): void {
    const engine = this.engines.get(id);
    if (!engine) return;
    this.generation++;
    engine.lastStreamUsage = this.clock.wallTime();
    engine.idleSince = busy ? null : this.clock.now();
  }

  /** The runtime has it no more. */
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

  /** What an earlier run has left may come up yet: by its restart policy, or by a start that the runtime still carries out. */
  private remains(instance: EngineInstance): void {
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
      answered: false,
      answeredAt: null,
      drain: null,
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

  private leave(id: string, how: Pick<EngineChange, 'reason' | 'remains' | 'againSince'>): void {
    const engine = this.engines.get(id);
    if (!engine) return;
    this.engines.delete(id);
    this.move(engine, 'gone');
    this.departed.set(id, ++this.sequence);
    this.emit({ type: 'gone', engine, ...how });
  }

  private cleared(id: string, reason: string): void {
    const engine = this.dead.get(id);
    if (!engine) return;
    this.dead.delete(id);
    this.emit({ type: 'cleared', engine, reason });
  }

  /** It has answered before the earliest moment at which what runs now can have started. */
  private hasRestarted({ id, maxUptimeMs }: EngineInstance, mark: ListMark): boolean {
    const engine = this.engines.get(id);
    if (!engine || engine.answeredAt === null || maxUptimeMs === null) return false;
    return engine.answeredAt < mark.at - maxUptimeMs - CLOCK_STEP_MS;
  }

  private startedAfter({ maxUptimeMs }: EngineInstance, mark: ListMark): number {
    return this.clock.wallTime() - (this.clock.now() - mark.at) - (maxUptimeMs ?? 0);
  }

  private see(engine: KnownEngine, instance: EngineInstance): void {
    engine.lastSeen = this.clock.wallTime();
    if (!isDeepStrictEqual(engine.instance, instance)) this.generation++;
    engine.instance = instance;
  }

  private move(engine: KnownEngine, lifecycle: Lifecycle): void {
    engine.lifecycle = lifecycle;
    engine.lifecycleSince = this.clock.now();
  }

  private emit(change: EngineChange): void {
    this.generation++;
    for (const listener of this.listeners) listener(change);
  }
}
