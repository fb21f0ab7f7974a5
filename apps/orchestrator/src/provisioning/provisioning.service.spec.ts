import { createLog, type Log, SILENT_LOG } from '@acexy/service-kit';
import * as fc from 'fast-check';
import { register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '@acexy/service-kit/primitives';
import { InstallationId } from '../database/installation-id.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import type { EngineSync } from '../engines/engine-sync.service.js';
import { type EngineInstance, NoSuchNetworkError, PortTakenError } from '../runtime/engine-runtime.js';
import { FakeEngineRuntime, startFailure } from '../../../../test/doubles/orchestrator/fake-engine-runtime.js';
import { loadOrchestratorSettings, type OrchestratorSettings } from '../settings.js';
import { VpnSlots } from '../vpn/vpn-slots.service.js';
import { UNKNOWN_TUNNEL } from '../vpn/tunnel.policy.js';
import { VpnService } from '../vpn/vpn.service.js';
import { EngineBlueprint } from './engine-blueprint.js';
import { EngineLauncher } from './engine-launcher.js';
import type { ContainerRequest } from './engine-spec.plan.js';
import { ProvisioningBreakers } from './provisioning-breakers.js';
import { ProvisioningService } from './provisioning.service.js';
import { ProvisioningRefusedError } from './refusals.policy.js';
import { StartChecks } from './start-checks.js';

interface Setup {
  runtime: FakeEngineRuntime;
  service: ProvisioningService;
  registry: EngineRegistry;
  settings: OrchestratorSettings;
  vpn: VpnService;
}

function build(
  environment: Record<string, string> = {},
  log: Log = SILENT_LOG,
  sync: Pick<EngineSync, 'isSynced' | 'knowsWhatRuns' | 'runtimeProblem'> = {
    isSynced: true,
    knowsWhatRuns: () => Promise.resolve(true),
    runtimeProblem: null,
  },
): Setup {
  const settings = loadOrchestratorSettings({
    MIN_PROVISION_INTERVAL_S: '0',
    MAX_REPLICAS: '5',
    MIN_REPLICAS: '0',
    ...environment,
  });
  const runtime = new FakeEngineRuntime();
  const clock = new SystemClock();
  const registry = new EngineRegistry(clock);
  const vpn = new VpnService(settings, registry);
  const slots = new VpnSlots(vpn, registry, settings, settings, clock);
  const blueprint = new EngineBlueprint(runtime, settings, settings, settings, registry, log);
  const launcher = new EngineLauncher(
    runtime,
    settings,
    settings,
    settings,
    settings,
    new InstallationId('b1b2'),
    slots,
    blueprint,
    clock,
    log,
  );
  const limit = { engines: settings.engineLimit };
  const breakers = new ProvisioningBreakers(settings, registry, clock, log);
  const checks = new StartChecks(runtime, sync as EngineSync, registry, slots, breakers, launcher, settings, limit);
  const service = new ProvisioningService(launcher, registry, sync as EngineSync, breakers, checks, settings, settings, limit, clock, log);
  service.onModuleInit();
  return { runtime, service, registry, settings, vpn };
}

/** The handler is attached at once, so that an early refusal is not an unhandled rejection. */
function outcome<T>(promise: Promise<T>): Promise<T | ProvisioningRefusedError> {
  return promise.catch((error: unknown) => {
    if (!(error instanceof ProvisioningRefusedError)) throw error;
    return error;
  });
}

describe('provisioning', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('starts an engine with ports from the ranges, the orchestrator’s labels and a unique name', async () => {
    const { service, runtime, settings } = build();
    const engine = await service.provision({}, 'api');
    expect(engine.state).toBe('running');
    for (const [port, { first, last }] of [
      [engine.ports.http, settings.portRangeHost],
      [engine.ports.https, settings.httpsRange],
      [engine.ports.api, settings.apiRange],
      [engine.ports.p2p, settings.p2pRange],
    ] as const) {
      expect(port).toBeGreaterThanOrEqual(first);
      expect(port).toBeLessThanOrEqual(last);
    }
    expect(engine.name).toMatch(/^acestream-[0-9a-f]{8}$/);
    expect(engine.labels).toMatchObject({ 'acestream-orchestrator': 'true', 'acestream-orchestrator.installation': 'b1b2' });
    expect(runtime.startCalls).toHaveLength(1);
  });

  it('starts exactly MAX_REPLICAS engines for any number of simultaneous requests', async () => {
    const { service, runtime } = build({ MAX_CONCURRENT_PROVISIONS: '2' });
    runtime.knobs.startMs = 100;
    const all = Array.from({ length: 50 }, () => outcome(service.provision({}, 'api')));
    await vi.runAllTimersAsync();
    const answers = await Promise.all(all);
    expect(runtime.world.engines.size).toBe(5);
    const refused = answers.filter((answer) => answer instanceof ProvisioningRefusedError);
    expect(refused).toHaveLength(45);
    expect(refused[0].toDetail()).toEqual({
      error: 'provisioning_blocked',
      code: 'max_capacity',
      message: 'the limit of 5 engines is reached: raise MAX_REPLICAS (behind a VPN also MAX_ACTIVE_REPLICAS), or wait for a free engine',
      recovery_eta_seconds: 3,
      can_retry: false,
      should_wait: true,
    });
  });

  it('starts another engine as soon as one is gone', async () => {
    const { service, registry } = build({ MAX_REPLICAS: '1' });
    const engine = await service.provision({}, 'api');
    expect(await outcome(service.provision({}, 'api'))).toMatchObject({ code: 'max_capacity' });
    registry.gone(engine.id, 'stopped');
    await expect(service.provision({}, 'api')).resolves.toMatchObject({ state: 'running' });
  });

  it('counts an engine found in the runtime once', async () => {
    const { service, registry } = build({ MAX_REPLICAS: '2' });
    const { service: former } = build();
    const found = await former.provision({}, 'api');
    registry.observe([{ ...found, state: 'exited' }], registry.mark());
    registry.observe([found], registry.mark());
    expect(service.engineCount()).toBe(1);
    const next = await service.provision({}, 'autoscaler');
    expect(next.ports.http).not.toBe(found.ports.http);
    expect(await outcome(service.provision({}, 'api'))).toMatchObject({ code: 'max_capacity' });
  });

  it('uses another port when one is in use, and sets that one aside', async () => {
    const { service, runtime } = build();
    const { http: first } = (await service.provision({}, 'api')).ports;
    runtime.world.occupiedPorts.add(first + 1).add(first + 2);
    expect((await service.provision({}, 'api')).ports.http).toBe(first + 3);
    expect(service.breakers.report('general').failures).toBe(0);
    runtime.world.occupiedPorts.clear();
    expect((await service.provision({}, 'api')).ports.http).toBe(first + 4);
  });

  it('refuses when a range of ports is exhausted, with the range, and the circuit breaker does not count it', async () => {
    const { service, runtime } = build({ PORT_RANGE_HOST: '19000-19001', MAX_REPLICAS: '5' });
    await service.provision({}, 'api');
    expect(service.checks.forEngine(undefined, 'general', 1)).toBeNull();
    await service.provision({}, 'api');
    const refusal = await outcome(service.provision({}, 'api'));
    expect(refusal).toMatchObject({
      code: 'max_capacity',
      message: expect.stringContaining('no free http port from 19000 to 19001') as string,
    });
    expect(service.checks.forEngine(undefined, 'general', 2)).toMatchObject({ code: 'max_capacity' });
    expect([runtime.startCalls.length, service.breakers.report('general').failures]).toEqual([2, 0]);
  });

  it('names an unreachable runtime before every other reason, as the log does', async () => {
    const { service, runtime } = build({ CIRCUIT_BREAKER_THRESHOLD: '1', GLUETUN_CONTAINER_NAME: 'gluetun' }, SILENT_LOG, {
      isSynced: true,
      knowsWhatRuns: () => Promise.resolve(true),
      runtimeProblem: 'container runtime unreachable: nobody listens',
    });
    runtime.knobs.preparing = 'the image is missing';
    expect(await outcome(service.provision({}, 'api'))).toMatchObject({
      code: 'runtime_unavailable',
      message: 'no engine can be started: container runtime unreachable: nobody listens',
      shouldWait: true,
    });
    expect(service.checks.blocked('general')).toMatchObject({ code: 'runtime_unavailable' });
  });

  it('fails after a few ports in use, and the circuit breaker does not count it', async () => {
    const { service, runtime } = build();
    runtime.knobs.failStart = (spec) => new PortTakenError(spec.ports.http);
    expect(await outcome(service.provision({}, 'api'))).toMatchObject({ code: 'general_error' });
    expect(runtime.startCalls).toHaveLength(5);
    expect(service.breakers.report('general').failures).toBe(0);
    expect(service.engineCount()).toBe(0);
  });

  it('does not replace a port that the caller requested', async () => {
    const { service, runtime } = build();
    runtime.world.occupiedPorts.add(19500);
    const refusal = await outcome(service.provision({ hostPort: 19500 }, 'api'));
    expect(refusal).toMatchObject({ code: 'general_error', message: 'port 19500 is in use by another program' });
    expect(runtime.startCalls).toHaveLength(1);
    runtime.world.occupiedPorts.clear();
    expect((await service.provision({ hostPort: 19500 }, 'api')).port).toBe(19500);
    expect(await outcome(service.provision({ hostPort: 19500 }, 'api'))).toMatchObject({ code: 'general_error' });
  });

  it('releases everything after a failed start', async () => {
    const { service, runtime } = build();
    runtime.knobs.failStart = () => startFailure('no space left on device');
    const refusal = await outcome(service.provision({}, 'api'));
    expect((refusal as ProvisioningRefusedError).toDetail()).toEqual({
      error: 'provisioning_failed',
      code: 'general_error',
      message: 'no space left on device',
      recovery_eta_seconds: 0,
      can_retry: false,
      should_wait: false,
    });
    expect(service.engineCount()).toBe(0);
    expect(service.status()).toMatchObject({ in_progress: 0, queued: 0 });
  });

  it('aborts a hanging start after STARTUP_TIMEOUT_S and names the limit', async () => {
    const { service, runtime } = build();
    runtime.knobs.startHangs = true;
    const answer = outcome(service.provision({}, 'api'));
    await vi.advanceTimersByTimeAsync(24_999);
    expect(service.status().in_progress).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await answer).toMatchObject({ code: 'general_error', message: expect.stringContaining('STARTUP_TIMEOUT_S') });
    expect(service.engineCount()).toBe(0);
    expect(service.breakers.report('general').failures).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('answers after PROVISION_TIMEOUT_S, including the wait in the queue, and says that waiting helps', async () => {
    const { service, runtime } = build({ MAX_CONCURRENT_PROVISIONS: '1', PROVISION_TIMEOUT_S: '20' });
    runtime.knobs.startHangs = true;
    runtime.knobs.abortMs = 5000;
    const first = outcome(service.provision({}, 'api'));
    const second = outcome(service.provision({}, 'api'));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await first).toMatchObject({
      code: 'general_error',
      message: 'the start did not finish within 20 s (PROVISION_TIMEOUT_S): check the container runtime',
    });
    expect(await second).toMatchObject({
      code: 'max_capacity',
      shouldWait: true,
      message: expect.stringContaining('waited 20 s in the queue'),
    });
    await vi.runAllTimersAsync();
    expect(service.engineCount()).toBe(0);
    expect(runtime.startCalls).toHaveLength(1);
  });

  it('keeps ports and place until an aborted start has ended', async () => {
    const { service, runtime } = build();
    runtime.knobs.startHangs = true;
    runtime.knobs.abortMs = 10_000;
    const answer = outcome(service.provision({}, 'api'));
    await vi.advanceTimersByTimeAsync(25_000);
    expect(service.engineCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(10_000);
    await answer;
    expect(service.engineCount()).toBe(0);
  });

  it('removes an engine that starts at the moment it is aborted', async () => {
    const { service, runtime } = build();
    const start = runtime.start.bind(runtime);
    vi.spyOn(runtime, 'start').mockImplementation(async (spec) => {
      await new Promise((resolve) => setTimeout(resolve, 26_000));
      return start(spec, new AbortController().signal);
    });
    const answer = outcome(service.provision({}, 'api'));
    await vi.advanceTimersByTimeAsync(26_000);
    expect(await answer).toMatchObject({ code: 'general_error' });
    expect(runtime.world.engines.size).toBe(0);
    expect(service.engineCount()).toBe(0);
  });

  it('without a ready engine, refuses after CIRCUIT_BREAKER_THRESHOLD failures in a row until a trial 5 s later', async () => {
    const { service, runtime } = build({ CIRCUIT_BREAKER_THRESHOLD: '2', CIRCUIT_BREAKER_TIMEOUT_S: '300' });
    runtime.knobs.failStart = () => startFailure();
    await outcome(service.provision({}, 'api'));
    await outcome(service.provision({}, 'api'));
    await vi.advanceTimersByTimeAsync(1000);
    const refusal = (await outcome(service.provision({}, 'api'))) as ProvisioningRefusedError;
    expect(refusal.toDetail()).toMatchObject({ code: 'circuit_breaker', recovery_eta_seconds: 4, can_retry: false, should_wait: true });
    expect(runtime.startCalls).toHaveLength(2);
    expect(service.breakers.report('general')).toEqual({
      state: 'open',
      failures: 2,
      threshold: 2,
      timeoutSeconds: 300,
      retryInSeconds: 4,
      lastFailure: { reason: 'the engine exited at once', at: Date.now() - 1000 },
    });
    const metrics = await register.metrics();
    expect(metrics).toContain('orch_circuit_breaker_state{operation_type="general"} 2');
    expect(metrics).toContain('orch_circuit_breaker_failures{operation_type="general"} 2');
  });

  it('with a ready engine, refuses for CIRCUIT_BREAKER_TIMEOUT_S; when that engine is gone, a trial may start at once', async () => {
    const { service, registry, runtime } = build({ CIRCUIT_BREAKER_THRESHOLD: '1', CIRCUIT_BREAKER_TIMEOUT_S: '300' });
    const { id } = await service.provision({}, 'api');
    registry.ready(id);
    runtime.knobs.failStart = () => startFailure();
    await outcome(service.provision({}, 'api'));
    expect(await outcome(service.provision({}, 'api'))).toMatchObject({ code: 'circuit_breaker', recoveryEtaSeconds: 300 });
    await vi.advanceTimersByTimeAsync(60_000);
    runtime.knobs.failStart = () => null;
    registry.gone(id, 'died');
    await expect(service.provision({}, 'api')).resolves.toMatchObject({ state: 'running' });
  });

  it('has a separate circuit breaker for replacements', async () => {
    const { service, registry, runtime } = build({
      CIRCUIT_BREAKER_REPLACEMENT_THRESHOLD: '1',
      CIRCUIT_BREAKER_REPLACEMENT_TIMEOUT_S: '180',
    });
    runtime.knobs.failStart = () => startFailure();
    await outcome(service.provision({}, 'autoscaler', 'replacement'));
    expect([service.breakers.report('replacement').state, service.breakers.report('general').state]).toEqual(['open', 'closed']);
    expect(await outcome(service.provision({}, 'autoscaler', 'replacement'))).toMatchObject({
      code: 'circuit_breaker',
      recoveryEtaSeconds: 5,
    });
    runtime.knobs.failStart = () => null;
    await expect(service.provision({}, 'api')).resolves.toMatchObject({ state: 'running' });
    expect(await register.metrics()).toContain('orch_circuit_breaker_state{operation_type="replacement"} 2');
    await vi.advanceTimersByTimeAsync(180_000);
    const trials = [1, 2, 3].map(() => outcome(service.provision({}, 'autoscaler', 'replacement')));
    const [trial, ...others] = await Promise.all(trials);
    expect(trial).toMatchObject({ state: 'running' });
    expect(others.map((other) => (other as ProvisioningRefusedError).code)).toEqual(['circuit_breaker', 'circuit_breaker']);
    registry.ready((trial as { id: string }).id);
    expect(service.breakers.report('replacement').state).toBe('closed');
  });

  it('a reset ignores earlier failures and starts in progress', async () => {
    const { service, runtime } = build({ CIRCUIT_BREAKER_THRESHOLD: '1' });
    runtime.knobs.startHangs = true;
    const hanging = outcome(service.provision({}, 'api'));
    const second = outcome(service.provision({}, 'api'));
    await vi.advanceTimersByTimeAsync(25_000);
    await Promise.all([hanging, second]);
    expect(service.breakers.report('general').state).toBe('open');
    runtime.knobs.startHangs = false;
    runtime.knobs.startMs = 1000;
    service.breakers.reset('general');
    expect(service.breakers.report('general')).toMatchObject({ state: 'closed', failures: 0, retryInSeconds: 0 });
    await vi.advanceTimersByTimeAsync(0);
    const next = service.provision({}, 'api');
    await vi.advanceTimersByTimeAsync(1000);
    await expect(next).resolves.toMatchObject({ state: 'running' });
  });

  it('200 simultaneous requests: at most MAX_CONCURRENT_PROVISIONS calls to the runtime; requests that would wait too long are refused at once with an ETA', async () => {
    const { service, runtime } = build({
      MAX_REPLICAS: '300',
      MAX_CONCURRENT_PROVISIONS: '5',
      MIN_PROVISION_INTERVAL_S: '0.5',
      API_REQUEST_TIMEOUT_S: '30',
    });
    runtime.knobs.startMs = 2400;
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, runtime.startsInProgress)), 10);
    const began = Date.now();
    const answered: { code: string; afterS: number; eta: number }[] = [];
    const all = Array.from({ length: 200 }, async () => {
      const answer = await outcome(service.provision({}, 'api'));
      const refused = answer instanceof ProvisioningRefusedError;
      answered.push({
        code: refused ? answer.code : 'served',
        afterS: (Date.now() - began) / 1000,
        eta: refused ? answer.recoveryEtaSeconds : 0,
      });
    });
    await vi.advanceTimersByTimeAsync(60_000);
    clearInterval(watch);
    await Promise.all(all);
    const served = answered.filter(({ code }) => code === 'served');
    const refused = answered.filter(({ code }) => code === 'max_capacity');
    expect(most).toBe(5);
    expect([served.length + refused.length, served.length >= 60, service.breakers.report('general').failures]).toEqual([200, true, 0]);
    expect(Math.max(...served.map(({ afterS }) => afterS))).toBeLessThanOrEqual(33);
    expect(Math.max(...refused.map(({ afterS }) => afterS))).toBe(0);
    expect(refused.every(({ eta }) => Number.isInteger(eta) && eta >= 1 && eta <= 30)).toBe(true);
    expect(runtime.world.engines.size).toBe(served.length);
  });

  it('revokes queued starts of the autoscaler, not those of API callers', async () => {
    const { service, runtime } = build({ MAX_CONCURRENT_PROVISIONS: '1' });
    runtime.knobs.startMs = 1000;
    const ordered = [1, 2, 3].map(() => outcome(service.provision({}, 'autoscaler')));
    const called = outcome(service.provision({}, 'api'));
    expect([service.revocable, service.revoke(9), service.revocable, service.engineCount()]).toEqual([2, 2, 0, 2]);
    await vi.runAllTimersAsync();
    expect((await Promise.all(ordered)).map((one) => one instanceof ProvisioningRefusedError)).toEqual([false, true, true]);
    expect(await called).toMatchObject({ state: 'running' });
    expect(service.breakers.report('general').failures).toBe(0);
  });

  it('logs “Circuit breaker open” at ERROR', async () => {
    const lines: string[] = [];
    const log = createLog({ service: 'orchestrator', level: 'INFO', destination: { write: (line) => lines.push(line) } });
    const { service, runtime } = build({ CIRCUIT_BREAKER_THRESHOLD: '1' }, log);
    runtime.knobs.failStart = () => startFailure();
    await outcome(service.provision({}, 'api'));
    expect(lines.filter((line) => line.includes('"level":"ERROR"') && line.includes('"msg":"Circuit breaker open"'))).toHaveLength(1);
  });

  it('refuses queued starts, too, when the circuit breaker opens', async () => {
    const { service, runtime } = build({ CIRCUIT_BREAKER_THRESHOLD: '1', MAX_CONCURRENT_PROVISIONS: '1' });
    runtime.knobs.failStart = () => startFailure();
    const answers = await Promise.all([1, 2, 3].map(() => outcome(service.provision({}, 'api'))));
    expect(answers.map((answer) => (answer as ProvisioningRefusedError).code)).toEqual([
      'general_error',
      'circuit_breaker',
      'circuit_breaker',
    ]);
    expect(runtime.startCalls).toHaveLength(1);
  });

  it('permits one trial when half open, and closes only when that engine has answered', async () => {
    const { service, registry, runtime } = build({ CIRCUIT_BREAKER_THRESHOLD: '1' });
    runtime.knobs.failStart = () => startFailure();
    await outcome(service.provision({}, 'api'));
    runtime.knobs.failStart = () => null;
    await vi.advanceTimersByTimeAsync(300_000);
    expect(service.status().circuitState).toBe('half_open');
    const [trial, other] = await Promise.all([1, 2].map(() => outcome(service.provision({}, 'api'))));
    expect(trial).toMatchObject({ state: 'running' });
    expect((other as ProvisioningRefusedError).toDetail()).toMatchObject({ code: 'circuit_breaker', can_retry: true, should_wait: true });
    expect(service.breakers.report('general').state).toBe('half_open');
    registry.ready((trial as { id: string }).id);
    expect(service.breakers.report('general')).toMatchObject({ state: 'closed', failures: 0 });
    await expect(service.provision({}, 'api')).resolves.toMatchObject({ state: 'running' });
  });

  it('counts an engine that answers before its start returns', async () => {
    const { service, registry, runtime } = build({ CIRCUIT_BREAKER_THRESHOLD: '2' });
    runtime.knobs.failStart = () => startFailure();
    await outcome(service.provision({}, 'api'));
    runtime.knobs.failStart = () => null;
    runtime.watch((event) => {
      if (event.type !== 'started') return;
      registry.add(runtime.world.engines.get(event.id) as EngineInstance);
      registry.ready(event.id);
    });
    await service.provision({}, 'api');
    expect(service.breakers.report('general').failures).toBe(0);
  });

  it('with a Docker image that is never ready, refusals name the last failed start and the commands that show its output', async () => {
    const { service, registry, runtime } = build({ CIRCUIT_BREAKER_THRESHOLD: '1' });
    Object.assign(runtime, { name: 'docker' });
    const { id, name } = await service.provision({}, 'autoscaler');
    registry.gone(id, 'did not answer in time after its start');
    const reason = `engine ${name} did not answer in time after its start; while it runs, \`docker logs ${name}\` shows why`;
    expect(service.breakers.currentFailure).toMatchObject({ reason });
    expect(await outcome(service.provision({}, 'api'))).toMatchObject({
      message: `Circuit breaker open after 1 failures in a row: the next trial is in 5 s. The last start failed: ${reason}`,
    });
    await vi.advanceTimersByTimeAsync(5000);
    const trial = await service.provision({}, 'autoscaler');
    expect(await outcome(service.provision({}, 'api'))).toMatchObject({
      message: expect.stringContaining(`a trial start is in progress (\`docker logs ${trial.name}\` shows its output)`) as string,
    });
    registry.ready(trial.id);
    expect(service.breakers.currentFailure).toBeNull();
  });

  it('counts engines that run but never answer as failures', async () => {
    const { service, registry } = build({ CIRCUIT_BREAKER_THRESHOLD: '2' });
    for (let count = 0; count < 2; count += 1) {
      const engine = await service.provision({}, 'autoscaler');
      registry.gone(engine.id, 'died');
    }
    expect(service.breakers.report('general').state).toBe('open');
  });

  it('permits another trial when the trial’s engine was removed before it could answer', async () => {
    const { service, registry, runtime } = build({ CIRCUIT_BREAKER_THRESHOLD: '1' });
    runtime.knobs.failStart = () => startFailure();
    await outcome(service.provision({}, 'api'));
    runtime.knobs.failStart = () => null;
    await vi.advanceTimersByTimeAsync(300_000);
    const { id } = await service.provision({}, 'api');
    registry.startDraining(id, { reason: 'surplus', deadline: Date.now() });
    registry.gone(id, 'surplus');
    await expect(service.provision({}, 'api')).resolves.toMatchObject({ state: 'running' });
  });

  it('does not count a contradictory request as a failure', async () => {
    const { service, runtime } = build({ CIRCUIT_BREAKER_THRESHOLD: '1' });
    const refusal = await outcome(service.provision({ hostPort: 1000, env: { CONF: '--http-port=2000' } }, 'api'));
    expect(refusal).toMatchObject({ code: 'general_error' });
    expect(service.breakers.report('general').state).toBe('closed');
    expect(runtime.startCalls).toHaveLength(0);
  });

  it('reports how many further starts are possible', async () => {
    const { service, runtime } = build({ MAX_CONCURRENT_PROVISIONS: '3', MIN_PROVISION_INTERVAL_S: '0.5' });
    expect(service.status()).toEqual({
      max_concurrent: 3,
      min_interval_s: 0.5,
      in_progress: 0,
      queued: 0,
      remaining: 3,
      circuitState: 'closed',
    });
    runtime.knobs.startMs = 100;
    const starting = [1, 2].map(() => service.provision({}, 'api'));
    expect(service.status()).toMatchObject({ in_progress: 1, queued: 1, remaining: 1 });
    await vi.runAllTimersAsync();
    await Promise.all(starting);
  });

  it('counts and times starts', async () => {
    register.resetMetrics();
    const { service, runtime } = build();
    await service.provision({}, 'api');
    runtime.knobs.failStart = () => startFailure();
    await outcome(service.provision({}, 'api'));
    const metrics = await register.metrics();
    expect(metrics).toContain('orch_provision_total{kind="acestream"} 1');
    expect(metrics).toContain('orch_provision_duration_seconds_count{success="true"} 1');
    expect(metrics).toContain('orch_provision_duration_seconds_count{success="false"} 1');
  });

  it('on shutdown leaves no unknown engine running, and refuses further requests', async () => {
    const { service, runtime } = build({ MAX_CONCURRENT_PROVISIONS: '1' });
    runtime.knobs.startHangs = true;
    const answers = [outcome(service.provision({}, 'api')), outcome(service.provision({}, 'autoscaler'))];
    await service.beforeApplicationShutdown();
    expect(await Promise.all(answers)).toMatchObject([
      { message: 'the service is shutting down' },
      { message: 'the service is shutting down' },
    ]);
    expect(service.breakers.report('general').failures).toBe(0);
    expect(runtime.startsInProgress).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(await outcome(service.provision({}, 'api'))).toMatchObject({ message: 'the service is shutting down' });
  });

  it('on shutdown answers callers that wait for the first list of the container runtime', async () => {
    const { service } = build({}, SILENT_LOG, { isSynced: false, knowsWhatRuns: () => new Promise(() => undefined), runtimeProblem: null });
    const answers = [outcome(service.provision({}, 'api')), outcome(service.provisionContainer({} as ContainerRequest))];
    await service.beforeApplicationShutdown();
    const refusal = { code: 'max_capacity', message: 'the service is shutting down', recoveryEtaSeconds: 5 };
    expect(await Promise.all(answers)).toMatchObject([refusal, refusal]);
  });

  it('keeps its limits and loses no port in any sequence of starts, failures, deaths and waits', async () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('provision' as const), origin: fc.constantFrom('api' as const, 'autoscaler' as const) }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 60_000 }) }) },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constantFrom('die' as const, 'ready' as const, 'neverReady' as const), which: fc.nat() }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant('behavior' as const),
          behavior: fc.constantFrom('well', 'slow', 'hangs', 'fails', 'taken'),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { service, runtime, registry, settings } = build({
          MAX_CONCURRENT_PROVISIONS: '2',
          MIN_PROVISION_INTERVAL_S: '0.5',
          CIRCUIT_BREAKER_THRESHOLD: '3',
          CIRCUIT_BREAKER_TIMEOUT_S: '20',
          PORT_RANGE_HOST: '19000-19009',
        });
        let behavior = 'well';
        let count = 0;
        runtime.knobs.failStart = (spec) => {
          count += 1;
          if (behavior === 'fails') return startFailure();
          return behavior === 'taken' && count % 2 === 0 ? new PortTakenError(spec.ports.http) : null;
        };
        const asked: Promise<unknown>[] = [];
        const pick = (which: number) => [...runtime.world.engines.values()][which % runtime.world.engines.size];
        for (const one of steps) {
          if (one.do === 'provision') asked.push(outcome(service.provision({}, one.origin)));
          else if (one.do === 'wait') await vi.advanceTimersByTimeAsync(one.ms);
          else if (one.do === 'behavior') {
            behavior = one.behavior;
            runtime.knobs.startHangs = behavior === 'hangs';
            runtime.knobs.startMs = behavior === 'slow' ? 3000 : 0;
          } else if (runtime.world.engines.size > 0) {
            const engine = pick(one.which);
            if (one.do === 'ready') registry.ready(engine.id);
            else {
              if (one.do === 'die') registry.startDraining(engine.id, { reason: 'surplus', deadline: Date.now() });
              runtime.world.engines.delete(engine.id);
              registry.gone(engine.id, one.do);
            }
          }
          expect(runtime.startsInProgress).toBeLessThanOrEqual(settings.maxConcurrentProvisions);
          expect(runtime.world.engines.size).toBeLessThanOrEqual(settings.maxReplicas);
          expect(service.engineCount()).toBeLessThanOrEqual(settings.maxReplicas);
          const ports = [...runtime.world.engines.values()].flatMap((engine) =>
            Object.values(engine.ports as unknown as Record<string, number>),
          );
          expect(new Set(ports).size).toBe(ports.length);
        }
        await vi.runAllTimersAsync();
        await Promise.all(asked);
        expect(service.engineCount()).toBe(runtime.world.engines.size);
        expect(service.status()).toMatchObject({ in_progress: 0, queued: 0 });
      }),
      { numRuns: 200 },
    );
  });
});

describe('provisioning behind a VPN', () => {
  const behind = (environment: Record<string, string> = {}): Setup => build({ GLUETUN_CONTAINER_NAME: 'gluetun', ...environment });
  const up = ({ vpn }: Setup, forwardedPorts: readonly number[] = []): void => {
    for (const tunnel of vpn.tunnels) Object.assign(tunnel, { state: { ...UNKNOWN_TUNNEL, phase: 'up' }, own: 'good', forwardedPorts });
  };

  it('is refused while the VPN is not connected, with reason and ETA, and the circuit breaker does not count it', async () => {
    const setup = behind();
    const refusal = await outcome(setup.service.provision({}, 'api'));
    expect(refusal).toMatchObject({ code: 'vpn_disconnected', recoveryEtaSeconds: 60, canRetry: true, shouldWait: true });
    expect((refusal as Error).message).toContain('gluetun: not observed yet');
    expect(setup.service.breakers.report('general').failures).toBe(0);
    expect(setup.service.checks.preparing()).toMatchObject({ code: 'vpn_disconnected' });
    up(setup);
    expect(setup.service.checks.preparing()).toBeNull();
  });

  it('names the VPN before the circuit breaker, for a provision and for the status', async () => {
    const setup = behind({ CIRCUIT_BREAKER_THRESHOLD: '1' });
    up(setup);
    setup.runtime.knobs.failStart = () => startFailure();
    await outcome(setup.service.provision({}, 'api'));
    expect(await outcome(setup.service.provision({}, 'api'))).toMatchObject({ code: 'circuit_breaker' });
    for (const tunnel of setup.vpn.tunnels) Object.assign(tunnel, { state: { ...UNKNOWN_TUNNEL, phase: 'down' }, own: 'bad' });
    expect(await outcome(setup.service.provision({}, 'api'))).toMatchObject({ code: 'vpn_disconnected' });
    expect(setup.service.checks.forEngine(undefined, 'general', 0)).toMatchObject({ code: 'vpn_disconnected' });
    expect(setup.service.checks.blocked('general')).toMatchObject({ code: 'vpn_disconnected' });
  });

  it('gives the forwarded port to one engine at a time, and free ports to the others', async () => {
    const setup = behind();
    up(setup, [51_413]);
    const engines = await Promise.all([1, 2, 3].map(() => setup.service.provision({}, 'api')));
    const others = engines.map(({ ports }) => ports.p2p).filter((port) => port !== 51_413);
    expect(new Set(others).size).toBe(2);
    expect(others.every((port) => port >= 36_000 && port <= 36_999)).toBe(true);
    const [forwarded] = engines.filter(({ ports }) => ports.p2p === 51_413);
    expect(forwarded.labels).toMatchObject({ 'acestream-orchestrator.vpn': 'gluetun', 'acestream-orchestrator.vpn-port': '51413' });
    expect(setup.runtime.startCalls.map(({ joins }) => joins)).toEqual(['gluetun', 'gluetun', 'gluetun']);
  });

  it('spreads engines over two VPNs with separate ports, up to the limit of each', async () => {
    const setup = build({ ENGINE_RUNTIME: 'docker', GLUETUN_CONTAINER_NAMES: 'a,b', MAX_ACTIVE_REPLICAS: '2' });
    up(setup);
    const engines = await Promise.all([1, 2, 3, 4].map(() => setup.service.provision({}, 'api')));
    const portsBehind = (vpn: string): number[] =>
      engines.filter(({ labels }) => labels['acestream-orchestrator.vpn'] === vpn).map(({ ports }) => ports.http);
    expect(portsBehind('a').sort()).toEqual([19_000, 19_001]);
    expect(portsBehind('b').sort()).toEqual([19_002, 19_003]);
    expect(await outcome(setup.service.provision({}, 'api'))).toMatchObject({ code: 'max_capacity' });
  });

  it('fails with vpn_error when the VPN container is gone, releases the slot, and the circuit breaker does not count it', async () => {
    const setup = behind({ MAX_ACTIVE_REPLICAS: '1' });
    up(setup, [51_413]);
    setup.runtime.knobs.failStart = () => new NoSuchNetworkError('the start of acestream-1 failed: no such container');
    expect(await outcome(setup.service.provision({}, 'api'))).toMatchObject({ code: 'vpn_error', shouldWait: true });
    expect(setup.service.breakers.report('general').failures).toBe(0);
    setup.runtime.knobs.failStart = () => null;
    expect((await setup.service.provision({}, 'api')).ports.p2p).toBe(51_413);
  });
});
