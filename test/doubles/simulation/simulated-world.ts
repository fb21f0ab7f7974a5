/** The world around a simulated orchestrator: engines that boot, hang and die on a host that outlives every start of the service. */
import { EngineTimeoutError, UnknownSessionError } from '@acexy/engine-client';
import {
  type EngineInstance,
  type EngineSpec,
  PortTakenError,
  RuntimeFailedError,
  RuntimeUnreachableError,
} from '../../../apps/orchestrator/src/runtime/engine-runtime.js';
import { FakeEngineHost, FakeEngineRuntime } from '../orchestrator/fake-engine-runtime.js';

export const MOODS = ['well', 'slow', 'hangs', 'no space', 'away', 'port taken', 'keeps engines'] as const;
/** How the runtime behaves just now. */
export type Mood = (typeof MOODS)[number];

const BOOT_MS = 3000;

export class SimulatedWorld extends FakeEngineHost {
  mood: Mood = 'well';
  /** Engines that take connections and say nothing. */
  readonly hung = new Set<string>();
  /** Since when each engine runs, milliseconds of the clock that never goes back. */
  readonly upSince = new Map<string, number>();
  /** What plays: the engine of each session by its playback id. */
  readonly playing = new Map<string, string>();
  /** Proxies that play on and are not heard of. */
  readonly silent = new Set<string>();
  /** What was asked for and is not there yet: a daemon may carry it out though the caller is gone. */
  readonly underWay = new Set<EngineSpec>();

  get running(): EngineInstance[] {
    return [...this.engines.values()].filter(({ state, kind }) => state === 'running' && kind === 'acestream');
  }

  /** A start that nobody waits for any more, carried out all the same. */
  async carryOut(spec: EngineSpec): Promise<void> {
    const runtime = new FakeEngineRuntime(this);
    const { id } = await runtime.start(spec, new AbortController().signal);
    this.upSince.set(id, performance.now());
  }

  /** The engine ended or began anew: what it played is over. */
  endSessionsOn(id: string): void {
    for (const [session, engine] of this.playing) if (engine === id) this.playing.delete(session);
  }

  isPlayedOn(id: string): boolean {
    return [...this.playing.values()].includes(id);
  }

  answers(id: string): boolean {
    const since = this.upSince.get(id);
    return since !== undefined && !this.hung.has(id) && this.engines.get(id)?.state === 'running' && performance.now() - since >= BOOT_MS;
  }
}

/** The world as one start of the service sees it; dead with it. */
export class SimulatedRuntime extends FakeEngineRuntime {
  private killed = false;

  /** @param onRemove told of every removal that will be carried out */
  constructor(
    override readonly world: SimulatedWorld,
    private readonly onRemove: (id: string) => void,
  ) {
    super(world);
  }

  /** The service was killed: nothing it does any more has an effect, and nothing that it waits for comes. */
  kill(): void {
    this.killed = true;
  }

  override preparing(): string | null {
    return null;
  }

  override async start(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance> {
    await this.alive();
    this.behave();
    this.world.underWay.add(spec);
    try {
      const instance = await super.start(spec, signal);
      this.world.upSince.set(instance.id, performance.now());
      return instance;
    } finally {
      this.world.underWay.delete(spec);
      await this.alive();
    }
  }

  override async list(): Promise<EngineInstance[]> {
    await this.alive();
    this.behave();
    const instances = await super.list();
    return instances.map((one) => {
      const since = this.world.upSince.get(one.id);
      return one.state === 'running' && since !== undefined ? { ...one, maxUptimeMs: performance.now() - since + 1000 } : one;
    });
  }

  override async remove(id: string): Promise<void> {
    await this.alive();
    this.behave();
    if (!this.knobs.removeFails) this.onRemove(id);
    await super.remove(id);
    this.world.endSessionsOn(id);
    this.world.upSince.delete(id);
    this.world.hung.delete(id);
  }

  /** A process that ends and is brought up again by its restart policy, with or without our hearing of it. */
  restart(id: string): void {
    const engine = this.world.engines.get(id);
    if (!engine) return;
    this.world.engines.set(id, { ...engine, state: 'running', exitCode: null });
    this.world.upSince.set(id, performance.now());
    this.world.hung.delete(id);
    this.emit({ type: 'started', id });
  }

  private async alive(): Promise<void> {
    // Also what was called in the very moment before the kill.
    await Promise.resolve();
    if (this.killed) await new Promise<never>(() => {});
  }

  private behave(): void {
    const { knobs, world } = this;
    const { mood } = world;
    knobs.startMs = mood === 'slow' ? 8000 : 300;
    knobs.startHangs = mood === 'hangs';
    knobs.listFails = mood === 'away' ? new RuntimeUnreachableError('no Docker Engine answers') : null;
    knobs.removeFails = mood === 'away' || mood === 'keeps engines' ? new RuntimeFailedError('the removal failed') : null;
    knobs.failStart = (spec) => {
      if (mood === 'away') return new RuntimeUnreachableError('no Docker Engine answers');
      if (mood === 'no space') return new RuntimeFailedError('no space left on device');
      return mood === 'port taken' && spec.ports.http % 2 === 0 ? new PortTakenError(spec.ports.http) : null;
    };
  }
}

/** One question to a simulated engine; a hung one takes its whole limit. */
export class SimulatedProber {
  constructor(
    private readonly world: SimulatedWorld,
    private readonly timeoutMs: number,
  ) {}

  async probe({ id }: { id: string }): Promise<EngineTimeoutError | null> {
    if (this.world.answers(id)) return null;
    if (this.world.hung.has(id)) await new Promise((resolve) => setTimeout(resolve, this.timeoutMs));
    return this.world.answers(id) ? null : new EngineTimeoutError('the engine', 'reply', this.timeoutMs);
  }
}

/** What a simulated engine says of a session: nothing while it hangs, and that it does not know one that nobody plays any more. */
export class SimulatedSessionStat {
  constructor(private readonly world: SimulatedWorld) {}

  async ask({ id }: { id: string }, { playbackSessionId }: { playbackSessionId: string }): Promise<object> {
    await Promise.resolve();
    if (!this.world.answers(id)) throw new EngineTimeoutError('the engine', 'reply', 3000);
    if (this.world.playing.get(playbackSessionId) !== id) throw new UnknownSessionError('unknown playback session id');
    return {};
  }
}
