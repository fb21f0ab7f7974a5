/** One run of the orchestrator: its real services without HTTP, Docker and disk, in a simulated world, with fake timers. */
import type { OperationType } from '@acexy/contracts';
import { SILENT_LOG } from '@acexy/service-kit';
import type { HttpAdapterHost } from '@nestjs/core';
import { EventEmitter } from 'node:events';
import { PoolSnapshotService } from '../../../apps/orchestrator/src/autoscaling/pool-snapshot.service.js';
import { ReconcileService } from '../../../apps/orchestrator/src/autoscaling/reconcile.service.js';
import { SystemClock } from '@acexy/service-kit/primitives';
import { InstallationId } from '../../../apps/orchestrator/src/database/installation-id.js';
import type { PoolOrders } from '../../../apps/orchestrator/src/database/pool-orders.js';
import type { StreamHistory } from '../../../apps/orchestrator/src/database/stream-history.js';
import type { StreamRow } from '../../../apps/orchestrator/src/database/stream-row.entity.js';
import { EngineRegistry } from '../../../apps/orchestrator/src/engines/engine-registry.js';
import { ContentKeys } from '../../../apps/orchestrator/src/leases/content-keys.js';
import { EngineClaimBook } from '../../../apps/orchestrator/src/leases/engine-claims.js';
import { EngineRemover } from '../../../apps/orchestrator/src/engines/engine-remover.service.js';
import { EngineSync } from '../../../apps/orchestrator/src/engines/engine-sync.service.js';
import { LeaseService } from '../../../apps/orchestrator/src/leases/lease.service.js';
import { ManualMinimum } from '../../../apps/orchestrator/src/autoscaling/manual-minimum.js';
import { ProvisioningOutlook } from '../../../apps/orchestrator/src/leases/provisioning-outlook.js';
import type { EngineProber } from '../../../apps/orchestrator/src/health/engine-prober.js';
import { HealthMonitor } from '../../../apps/orchestrator/src/health/health-monitor.service.js';
import { Readiness } from '../../../apps/orchestrator/src/health/readiness.js';
import { StartupProbe } from '../../../apps/orchestrator/src/health/startup-probe.service.js';
import { type OperationPermit, ProvisioningBreakers } from '../../../apps/orchestrator/src/provisioning/provisioning-breakers.js';
import { EngineBlueprint } from '../../../apps/orchestrator/src/provisioning/engine-blueprint.js';
import { EngineLauncher } from '../../../apps/orchestrator/src/provisioning/engine-launcher.js';
import { ProvisioningService } from '../../../apps/orchestrator/src/provisioning/provisioning.service.js';
import { StartChecks } from '../../../apps/orchestrator/src/provisioning/start-checks.js';
import { loadOrchestratorSettings } from '../../../apps/orchestrator/src/settings.js';
import { Quarantine } from '../../../apps/orchestrator/src/streams/quarantine.service.js';
import type { SessionStat } from '../../../apps/orchestrator/src/streams/session-stat.js';
import { ProxyReports } from '../../../apps/orchestrator/src/streams/proxy-reports.service.js';
import { StreamEvents } from '../../../apps/orchestrator/src/streams/stream-events.service.js';
import { StreamService } from '../../../apps/orchestrator/src/streams/stream.service.js';
import { VpnSlots } from '../../../apps/orchestrator/src/vpn/vpn-slots.service.js';
import { VpnMetrics } from '../../../apps/orchestrator/src/vpn/vpn-metrics.js';
import { VpnService } from '../../../apps/orchestrator/src/vpn/vpn.service.js';
import { VpnWatcher } from '../../../apps/orchestrator/src/vpn/vpn-watcher.service.js';
import { SimulatedProber, SimulatedRuntime, SimulatedSessionStat, type SimulatedWorld } from './simulated-world.js';

/** One object serves as every settings group. */
export const SETTINGS = loadOrchestratorSettings({
  MIN_REPLICAS: '2',
  MAX_REPLICAS: '6',
  AUTOSCALE_INTERVAL_S: '10',
  MONITOR_INTERVAL_S: '5',
  ENGINE_GRACE_PERIOD_S: '10',
  MAX_CONCURRENT_PROVISIONS: '2',
  MIN_PROVISION_INTERVAL_S: '0.5',
  PROVISION_TIMEOUT_S: '20',
  STARTUP_TIMEOUT_S: '5',
  PROVISION_STARTUP_GRACE_S: '6',
  CIRCUIT_BREAKER_THRESHOLD: '3',
  CIRCUIT_BREAKER_TIMEOUT_S: '20',
  CIRCUIT_BREAKER_REPLACEMENT_THRESHOLD: '2',
  CIRCUIT_BREAKER_REPLACEMENT_TIMEOUT_S: '15',
  HEALTH_CHECK_INTERVAL_S: '5',
  HEALTH_CHECK_TIMEOUT_S: '2',
  HEALTH_FAILURE_THRESHOLD: '3',
  HEALTH_UNHEALTHY_GRACE_PERIOD_S: '5',
  HEALTH_REPLACEMENT_COOLDOWN_S: '5',
  RETRY_BACKOFF_S: '1',
  PORT_RANGE_HOST: '19000-19019',
});

const COMMIT_MS = 10;

/** What is on disk: committed writes survive a kill. */
export class SimulatedDisk {
  manualMinimum: number | null = null;
  readonly streams = new Map<string, StreamRow>();
  /** Grows with every kill: writes not committed by then are lost. */
  kills = 0;

  /** Resolves after the commit. */
  commit(write: () => unknown): Promise<void> {
    const { kills } = this;
    return new Promise((resolve) => {
      setTimeout(() => {
        if (kills < this.kills) return;
        write();
        resolve();
      }, COMMIT_MS);
    });
  }
}

export class SimulatedOrchestrator {
  readonly clock = new SystemClock();
  readonly runtime: SimulatedRuntime;
  readonly registry = new EngineRegistry(this.clock);
  readonly manualMinimum: ManualMinimum;
  readonly claims = new EngineClaimBook();
  readonly leases: LeaseService;
  readonly provisioning: ProvisioningService;
  readonly streams: StreamService;
  readonly reports: ProxyReports;
  readonly events: StreamEvents;
  readonly reconcile: ReconcileService;
  readonly sync: EngineSync;
  readonly readiness = new Readiness();
  private readonly startupProbe: StartupProbe;
  private readonly health: HealthMonitor;
  private readonly quarantine: Quarantine;
  private readonly server = new EventEmitter();

  private constructor(
    private readonly world: SimulatedWorld,
    private readonly disk: SimulatedDisk,
    /** Broken invariants. */
    readonly violations: string[],
    settings: typeof SETTINGS,
  ) {
    const { clock, registry, claims } = this;
    const limit = { engines: settings.engineLimit };
    const contents = new ContentKeys();
    const outlook = new ProvisioningOutlook();
    this.runtime = new SimulatedRuntime(world, (id) => this.removing(id));
    this.manualMinimum = new ManualMinimum(poolOrders(disk), clock, SILENT_LOG);
    this.leases = new LeaseService(registry, claims, contents, outlook, clock, settings, settings, SILENT_LOG);
    const remover = new EngineRemover(this.runtime, registry, clock, SILENT_LOG);
    this.sync = new EngineSync(this.runtime, registry, remover, settings, settings, settings, clock, SILENT_LOG);
    const vpn = new VpnService(settings, registry);
    const slots = new VpnSlots(vpn, registry, settings, settings, clock);
    const launcher = new EngineLauncher(
      this.runtime,
      settings,
      settings,
      settings,
      settings,
      new InstallationId('simulated'),
      slots,
      new EngineBlueprint(this.runtime, settings, settings, settings, registry, SILENT_LOG),
      clock,
      SILENT_LOG,
    );
    const breakers = new ProvisioningBreakers(settings, registry, clock, SILENT_LOG);
    watchTrials(breakers, violations);
    const checks = new StartChecks(this.runtime, this.sync, registry, slots, breakers, launcher, settings, limit);
    this.provisioning = new ProvisioningService(
      launcher,
      registry,
      this.sync,
      breakers,
      checks,
      settings,
      settings,
      limit,
      clock,
      SILENT_LOG,
    );
    this.quarantine = new Quarantine(registry, claims, new SimulatedSessionStat(world) as unknown as SessionStat, SILENT_LOG);
    this.streams = new StreamService(registry, claims, contents, streamHistory(disk), this.sync, clock, SILENT_LOG);
    this.reports = new ProxyReports(registry, claims, this.leases, this.streams, this.quarantine, clock, SILENT_LOG);
    this.events = new StreamEvents(this.streams, registry, this.sync, clock);
    const prober = new SimulatedProber(world, settings.healthCheckTimeoutMs) as unknown as EngineProber;
    this.startupProbe = new StartupProbe(registry, remover, claims, prober, settings, clock, SILENT_LOG);
    this.health = new HealthMonitor(registry, prober, settings, settings, clock, SILENT_LOG);
    const snapshots = new PoolSnapshotService(registry, this.leases, claims, this.manualMinimum, this.provisioning, settings, limit, clock);
    const adapterHost = { httpAdapter: { getHttpServer: () => this.server } } as unknown as HttpAdapterHost;
    this.reconcile = new ReconcileService(
      this.runtime,
      registry,
      this.leases,
      this.manualMinimum,
      outlook,
      this.sync,
      remover,
      this.provisioning,
      this.readiness,
      snapshots,
      new VpnWatcher(this.runtime, vpn, registry, settings, clock, new VpnMetrics(vpn), SILENT_LOG),
      settings,
      settings,
      clock,
      adapterHost,
      SILENT_LOG,
    );
  }

  static async start(
    world: SimulatedWorld,
    disk: SimulatedDisk,
    violations: string[],
    settings = SETTINGS,
  ): Promise<SimulatedOrchestrator> {
    const its = new SimulatedOrchestrator(world, disk, violations, settings);
    await its.manualMinimum.onModuleInit();
    its.leases.onModuleInit();
    its.provisioning.onModuleInit();
    its.startupProbe.onModuleInit();
    await its.sync.onModuleInit();
    await its.streams.onModuleInit();
    await its.reports.onModuleInit();
    its.quarantine.onApplicationBootstrap();
    its.health.onApplicationBootstrap();
    its.reconcile.onApplicationBootstrap();
    its.server.emit('listening');
    return its;
  }

  /** kill -9: its calls no longer have an effect, and its timers are removed. */
  kill(): void {
    this.disk.kills += 1;
    this.runtime.kill();
    // Not awaited: pending calls of a killed runtime never settle.
    for (const one of [
      this.reconcile,
      this.health,
      this.quarantine,
      this.startupProbe,
      this.streams,
      this.reports,
      this.leases,
      this.sync,
      this.provisioning,
    ])
      void one.onModuleDestroy();
    void this.provisioning.beforeApplicationShutdown();
  }

  /** SIGTERM. */
  async stop(): Promise<void> {
    await this.reconcile.onModuleDestroy();
    await this.health.onModuleDestroy();
    await this.quarantine.onModuleDestroy();
    await this.startupProbe.onModuleDestroy();
    this.reports.onModuleDestroy();
    this.streams.onModuleDestroy();
    this.leases.onModuleDestroy();
    await this.sync.onModuleDestroy();
    await this.provisioning.beforeApplicationShutdown();
    await this.sync.onApplicationShutdown();
    this.provisioning.onModuleDestroy();
  }

  private removing(id: string): void {
    const { world } = this;
    if (world.answers(id) && world.isPlayedOn(id) && !this.registry.get(id)?.drain)
      this.violations.push('a healthy engine with viewers was removed');
  }
}

/** Checks that a circuit breaker permits nothing while open, and one trial at a time when half open. */
function watchTrials(breakers: ProvisioningBreakers, violations: string[]): void {
  const trials = new Map<OperationType, { permit: OperationPermit; since: number }>();
  const acquire = breakers.acquire.bind(breakers);
  breakers.acquire = (operation) => {
    const { state, timeoutSeconds } = breakers.report(operation);
    const permit = acquire(operation);
    if (permit && state === 'open') violations.push(`the ${operation} circuit breaker permitted a start while open`);
    if (permit?.permit.trial) {
      const other = trials.get(operation);
      if (other && performance.now() - other.since < timeoutSeconds * 1000)
        violations.push(`two simultaneous trials of the ${operation} circuit breaker`);
      trials.set(operation, { permit, since: performance.now() });
    }
    return permit;
  };
  const endTrial = (permit: OperationPermit): void => {
    if (trials.get(permit.operation)?.permit === permit) trials.delete(permit.operation);
  };
  const { succeed, fail, abandon, reset } = {
    succeed: breakers.succeed.bind(breakers),
    fail: breakers.fail.bind(breakers),
    abandon: breakers.abandon.bind(breakers),
    reset: breakers.reset.bind(breakers),
  };
  breakers.succeed = (permit) => (endTrial(permit), succeed(permit));
  breakers.fail = (permit, reason) => (endTrial(permit), fail(permit, reason));
  breakers.abandon = (permit) => (endTrial(permit), abandon(permit));
  breakers.reset = (operation) => (trials.delete(operation), reset(operation));
}

function poolOrders(disk: SimulatedDisk): PoolOrders {
  return {
    loadManualMinimum: () => Promise.resolve(disk.manualMinimum),
    saveManualMinimum: (minimum: number | null) => disk.commit(() => (disk.manualMinimum = minimum)),
  } as unknown as PoolOrders;
}

function streamHistory(disk: SimulatedDisk): StreamHistory {
  return {
    save: (row: StreamRow) => disk.commit(() => disk.streams.set(row.id, { ...row })),
    loadOpen: () => Promise.resolve([...disk.streams.values()].filter(({ status }) => status === 'started')),
    loadRecent: () => Promise.resolve([...disk.streams.values()]),
  } as unknown as StreamHistory;
}
