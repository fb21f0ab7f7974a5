import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { simulationRuns } from './doubles/simulation/simulation-runs.js';
import { SETTINGS, SimulatedDisk, SimulatedOrchestrator } from './doubles/simulation/simulated-orchestrator.js';
import { SimulatedForeignProxy } from './doubles/simulation/simulated-foreign-proxy.js';
import { SimulatedProxy } from './doubles/simulation/simulated-proxy.js';
import { RUNTIME_FAULTS, type RuntimeFault, SimulatedWorld } from './doubles/simulation/simulated-world.js';

/** One step of a history; numbers choose engines and viewers. `silently`: the runtime sends no event. */
type Step =
  | { do: 'arrive' | 'provision' | 'scale'; count: number }
  | { do: 'leave' | 'die' | 'die silently' | 'vanish' | 'vanish silently' | 'restart' | 'hang' | 'wake'; which: number }
  | { do: 'fault'; fault: RuntimeFault }
  | { do: 'send start' | 'repeat event' | 'send end'; which: number }
  | { do: 'disconnect'; which: number; seconds: number }
  | { do: 'gc' | 'reset' | 'kill' | 'stop' }
  | { do: 'pass'; seconds: number };

const which = fc.nat(9);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('arrive' as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('leave' as const), which }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 12 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('die' as const, 'die silently' as const, 'vanish' as const, 'vanish silently' as const, 'restart' as const),
      which,
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('hang' as const, 'hang' as const, 'wake' as const), which }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      fault: fc.constantFrom(...RUNTIME_FAULTS, 'none' as const, 'none' as const),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('send start' as const, 'send start' as const, 'repeat event' as const, 'send end' as const),
      which,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('disconnect' as const), which, seconds: fc.integer({ min: 5, max: 60 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('provision' as const), count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('scale' as const), count: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('gc' as const, 'reset' as const, 'kill' as const, 'stop' as const) }) },
);

/** Time for circuit breakers, backoff, grace periods, drains and idle times, which follow one another. */
const RESTORED_WITHIN_S = 120;
const IDLE_WITHIN_S = 300;

class History {
  readonly world = new SimulatedWorld();
  readonly disk = new SimulatedDisk();
  readonly proxies = [new SimulatedProxy('p1', this.world), new SimulatedProxy('p2', this.world)];
  readonly violations: string[] = [];
  readonly foreign = new SimulatedForeignProxy(this.world, this.violations);
  private orchestrator!: SimulatedOrchestrator;
  /** The acknowledged manual minimum. */
  private manualMinimum: number | null = null;

  async start(): Promise<void> {
    this.orchestrator = await SimulatedOrchestrator.start(this.world, this.disk, this.violations);
  }

  async apply(step: Step): Promise<void> {
    const { orchestrator, world } = this;
    switch (step.do) {
      case 'arrive':
        for (let i = 0; i < step.count; i++) this.proxies[i % 2].arrive();
        break;
      case 'leave':
        this.proxies[step.which % 2].leave(step.which, orchestrator);
        break;
      case 'disconnect':
        this.proxies[step.which % 2].disconnect(step.seconds);
        break;
      case 'send start':
        this.foreign.start(orchestrator);
        break;
      case 'repeat event':
        this.foreign.repeat(step.which, orchestrator);
        break;
      case 'send end':
        this.foreign.end(step.which, orchestrator);
        break;
      case 'provision':
        // No caller waits for the result.
        for (let i = 0; i < step.count; i++) orchestrator.provisioning.provision({}, 'api').catch(() => undefined);
        break;
      case 'scale':
        await this.order(() => orchestrator.manualMinimum.set(step.count), step.count);
        break;
      case 'gc':
        await this.order(() => orchestrator.manualMinimum.set(null), null);
        void orchestrator.reconcile.collect();
        break;
      case 'reset':
        orchestrator.provisioning.breakers.reset('general');
        orchestrator.provisioning.breakers.reset('replacement');
        break;
      case 'fault':
        world.fault = step.fault;
        break;
      case 'kill':
        await this.kill();
        break;
      case 'stop':
        await this.restartGracefully();
        break;
      case 'pass':
        for (let second = 0; second < step.seconds; second++) await this.second();
        break;
      default:
        this.changeEngine(step.do, step.which);
    }
    this.check();
  }

  /** All faults end and all viewers leave. */
  async endFaultsAndViewers(): Promise<void> {
    this.world.fault = 'none';
    this.world.hung.clear();
    for (const proxy of this.proxies) {
      proxy.reconnect();
      while (proxy.sessions.length > 0) proxy.leave(0, this.orchestrator);
    }
    this.foreign.endAll(this.orchestrator);
    await this.apply({ do: 'gc' });
  }

  async second(): Promise<void> {
    for (const proxy of this.proxies) await proxy.pass(this.orchestrator);
    await vi.advanceTimersByTimeAsync(1000);
    this.check();
  }

  get healthyFree(): number {
    const { registry, claims } = this.orchestrator;
    return registry.all().filter(({ id, lifecycle, health }) => lifecycle === 'ready' && health === 'healthy' && claims.on(id).count === 0)
      .length;
  }

  /** The state in world, registry, ports, queue and leases. */
  state(): object {
    const { registry, provisioning, leases } = this.orchestrator;
    return {
      engines: this.world.running.map(({ id }) => id).sort(),
      containers: this.world.engines.size,
      known: registry
        .all()
        .map(({ id }) => id)
        .sort(),
      owners: provisioning.engineCount(),
      leases: leases.leaseCount,
      waiting: leases.waitingCount,
      pending: provisioning.pending,
    };
  }

  /** The expected state when nothing plays: exactly the minimum of engines, the same everywhere. */
  idleState(): object {
    const engines = this.world.running.map(({ id }) => id).sort();
    const { minReplicas } = SETTINGS;
    return {
      engines: engines.slice(0, minReplicas),
      containers: minReplicas,
      known: engines,
      owners: minReplicas,
      leases: 0,
      waiting: 0,
      pending: 0,
    };
  }

  async end(): Promise<void> {
    await this.orchestrator.stop();
  }

  private check(): void {
    const { world } = this;
    const running = world.running;
    if (running.length + world.startsInProgress.size > SETTINGS.maxReplicas)
      this.violations.push(`${running.length} engines run and ${world.startsInProgress.size} are being started, above MAX_REPLICAS`);
    if (world.startsInProgress.size > SETTINGS.maxConcurrentProvisions)
      this.violations.push(`${world.startsInProgress.size} starts at once`);
    const ports = running.flatMap((engine) => Object.values(engine.ports as unknown as Record<string, number>));
    if (new Set(ports).size < ports.length) this.violations.push('a port has two owners');
    const playing = [...this.proxies, this.foreign].flatMap((proxy) => proxy.playingOn());
    if (new Set(playing).size < playing.length) this.violations.push('two streams have the same engine');
    this.foreign.check(this.orchestrator);
    expect(this.violations).toEqual([]);
  }

  private changeEngine(what: 'die' | 'die silently' | 'vanish' | 'vanish silently' | 'restart' | 'hang' | 'wake', which: number): void {
    const { world, orchestrator } = this;
    const all = [...world.engines.values()];
    const engine = all[which % all.length];
    if (!engine) return;
    const silently = what.endsWith('silently');
    if (what !== 'hang' && what !== 'wake') world.endSessionsOn(engine.id);
    switch (what) {
      case 'die':
      case 'die silently':
        if (engine.state === 'running') orchestrator.runtime.die(engine.id, 137, { silently });
        break;
      case 'vanish':
      case 'vanish silently':
        orchestrator.runtime.vanish(engine.id, { silently });
        break;
      case 'restart': {
        const others = world.running.filter(({ id }) => id !== engine.id).flatMap(({ ports }) => [ports.http, ports.https]);
        if (others.includes(engine.ports.http) || others.includes(engine.ports.https))
          this.violations.push('the port of an engine that may restart was given to another one');
        orchestrator.runtime.restart(engine.id);
        break;
      }
      case 'hang':
        world.hung.add(engine.id);
        break;
      case 'wake':
        world.hung.delete(engine.id);
        break;
      default:
        throw new TypeError(String(what satisfies never));
    }
  }

  private async order(act: () => Promise<unknown>, minimum: number | null): Promise<void> {
    const done = act();
    await vi.advanceTimersByTimeAsync(20);
    await done;
    this.manualMinimum = minimum;
  }

  /** kill -9 at any moment: the runtime may still complete starts in progress. */
  private async kill(): Promise<void> {
    const startsInProgress = [...this.world.startsInProgress];
    this.world.startsInProgress.clear();
    this.orchestrator.kill();
    this.foreign.serviceKilled();
    for (const [index, spec] of startsInProgress.entries()) if (index % 2 === 0) await this.world.completeStart(spec);
    await this.start();
    if (this.orchestrator.manualMinimum.value !== this.manualMinimum) this.violations.push('an acknowledged manual minimum is lost');
  }

  private async restartGracefully(): Promise<void> {
    const stopped = this.orchestrator.stop();
    await vi.advanceTimersByTimeAsync(15_000);
    await stopped;
    await this.start();
  }
}

describe('the pool in simulated histories of faults', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('never exceeds its maximum, never gives a port or engine twice, loses no acknowledged event and no engine of a disconnected proxy, permits one trial when half open, and recovers soon after the faults', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), async (steps) => {
        const history = new History();
        await history.start();
        for (const one of steps) await history.apply(one);
        await history.endFaultsAndViewers();
        for (let second = 0; history.healthyFree < SETTINGS.minReplicas; second++) {
          expect(second).toBeLessThan(RESTORED_WITHIN_S);
          await history.second();
        }
        for (let second = 0; !isDeepStrictEqual(history.state(), history.idleState()) && second < IDLE_WITHIN_S; second++)
          await history.second();
        expect(history.state()).toEqual(history.idleState());
        const ended = history.end();
        await vi.advanceTimersByTimeAsync(10_000);
        await ended;
      }),
      simulationRuns({ numRuns: 40 }),
    );
  }, 600_000);
});
