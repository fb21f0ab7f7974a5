import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadOrchestratorSettings } from '../apps/orchestrator/src/settings.js';
import type { ProvisioningRefusedError } from '../apps/orchestrator/src/provisioning/refusals.policy.js';
import { SimulatedDisk, SimulatedOrchestrator } from './doubles/simulation/simulated-orchestrator.js';
import { SimulatedProxy } from './doubles/simulation/simulated-proxy.js';
import { SimulatedWorld } from './doubles/simulation/simulated-world.js';

/** The defaults of the circuit breakers, and no limit on simultaneous starts. */
const SETTINGS = {
  MAX_REPLICAS: '40',
  MAX_CONCURRENT_PROVISIONS: '6',
  MIN_PROVISION_INTERVAL_S: '0',
  PORT_RANGE_HOST: '19000-19099',
};

class Incident {
  seconds = 0;

  private constructor(
    readonly world: SimulatedWorld,
    readonly proxy: SimulatedProxy,
    readonly orchestrator: SimulatedOrchestrator,
  ) {}

  static async begin(environment: Record<string, string>, world = new SimulatedWorld()): Promise<Incident> {
    const settings = loadOrchestratorSettings({ ...SETTINGS, ...environment });
    const orchestrator = await SimulatedOrchestrator.start(world, new SimulatedDisk(), [], settings);
    return new Incident(world, new SimulatedProxy('p1', world), orchestrator);
  }

  async pass(seconds: number, eachSecond = (): void => undefined): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      eachSecond();
      await this.proxy.pass(this.orchestrator);
      await vi.advanceTimersByTimeAsync(1000);
      this.seconds++;
    }
  }

  /** @returns the seconds that it took */
  async until(condition: () => boolean, limitS: number): Promise<number> {
    const since = this.seconds;
    while (!condition() && this.seconds - since <= limitS) await this.pass(1);
    return this.seconds - since;
  }

  get ready(): number {
    return this.world.running.filter(({ id }) => this.world.answers(id)).length;
  }

  get starts(): number {
    return this.orchestrator.runtime.startCalls.length;
  }

  get circuit(): string {
    return this.orchestrator.provisioning.breakers.report('general').state;
  }
}

describe('incidents', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('six booting engines that are killed at once are replaced within seconds, and the circuit breaker stays closed', async () => {
    const incident = await Incident.begin({ MIN_REPLICAS: '6' });
    await incident.pass(2);
    const booting = incident.world.running;
    expect([booting.length, incident.ready]).toEqual([6, 0]);
    for (const { id } of booting) incident.orchestrator.runtime.die(id);
    expect(await incident.until(() => incident.ready === 6, 300)).toBeLessThanOrEqual(20);
    expect(incident.circuit).toBe('closed');
  });

  it('after a full disk 24 waiting viewers get engines within seconds, and every refusal names the time of the next start', async () => {
    const incident = await Incident.begin({ MIN_REPLICAS: '2' });
    incident.world.fault = 'no space';
    for (let viewer = 0; viewer < 24; viewer++) incident.proxy.arrive();
    const promised: number[] = [];
    const startedAt: number[] = [];
    let starts = 0;
    await incident.pass(20, () => {
      if (incident.starts > starts) startedAt.push(incident.seconds);
      starts = incident.starts;
      if (incident.circuit !== 'open') return;
      const refusal = incident.orchestrator.provisioning.checks.forEngine(undefined, 'general', 0) as ProvisioningRefusedError;
      promised.push(incident.seconds + refusal.recoveryEtaSeconds);
    });
    expect(promised.length).toBeGreaterThan(5);
    const afterwards = startedAt.filter((second) => second > promised[0]);
    for (const second of afterwards) expect(promised.map((at) => Math.abs(at - second)).some((difference) => difference <= 1)).toBe(true);
    incident.world.fault = 'none';
    expect(await incident.until(() => incident.proxy.playingOn().length === 24, 300)).toBeLessThanOrEqual(35);
  });

  it('with a wrong image the circuit breaker opens, and then one engine at a time is tried, less and less often', async () => {
    const incident = await Incident.begin({ MIN_REPLICAS: '3' });
    const neverAnswer = (): void => incident.world.running.forEach(({ id }) => incident.world.hung.add(id));
    await incident.pass(600, neverAnswer);
    expect(incident.circuit).not.toBe('closed');
    const { starts } = incident;
    let most = 0;
    await incident.pass(900, () => {
      neverAnswer();
      most = Math.max(most, incident.world.running.length);
    });
    expect(most).toBe(1);
    expect(incident.starts - starts).toBeLessThanOrEqual(6);
  });

  it('after MAX_REPLICAS was lowered from 6 to 1, one of six idle engines stays alive all the time', async () => {
    const before = await Incident.begin({ MIN_REPLICAS: '6' });
    await before.until(() => before.ready === 6, 60);
    before.orchestrator.kill();
    const after = await Incident.begin({ MIN_REPLICAS: '1', MAX_REPLICAS: '1', ENGINE_GRACE_PERIOD_S: '1' }, before.world);
    after.orchestrator.runtime.knobs.exitedMs = 2000;
    let fewest = after.ready;
    const timer = setInterval(() => (fewest = Math.min(fewest, after.ready)), 50);
    await after.pass(60);
    clearInterval(timer);
    expect([after.ready, fewest, after.starts]).toEqual([1, 1, 0]);
  });
});
