import { Setting, type SettingFault, SettingsGroup } from '@acexy/service-kit/settings';

@SettingsGroup('Engine pool')
export class PoolSettings {
  @Setting({ name: 'MIN_REPLICAS', type: 'integer', min: 0, max: 10_000, default: '3', help: 'Free engines kept ready' })
  minReplicas!: number;

  @Setting({ name: 'MAX_REPLICAS', type: 'integer', min: 1, max: 10_000, default: '20', help: 'Maximum number of engines' })
  maxReplicas!: number;

  @Setting({ name: 'MAX_STREAMS_PER_ENGINE', type: 'integer', min: 1, max: 100, default: '1', help: 'Maximum streams per engine' })
  maxStreamsPerEngine!: number;

  // Players that change channels close the old connection 1 to 13 s after they asked for the new one, as users report.
  @Setting({
    name: 'FULL_POOL_WAIT_S',
    type: 'seconds',
    max: 300,
    default: '15',
    help: 'Seconds that a viewer waits for an engine in use to become free when no further engine can be started',
  })
  fullPoolWaitMs!: number;

  @Setting({
    name: 'AUTOSCALE_INTERVAL_S',
    type: 'seconds',
    min: 0.1,
    max: 86_400,
    default: '30',
    help: 'Maximum seconds between two rounds of the reconcile loop',
  })
  autoscaleIntervalMs!: number;

  @Setting({
    name: 'ENGINE_GRACE_PERIOD_S',
    type: 'seconds',
    max: 86_400,
    default: '30',
    help: 'Seconds until a surplus idle engine is removed if AUTO_DELETE is true',
  })
  engineGracePeriodMs!: number;

  @Setting({
    name: 'IDLE_TTL_S',
    type: 'seconds',
    max: 604_800,
    default: '600',
    help: 'Seconds until a surplus idle engine is removed if AUTO_DELETE is false',
  })
  idleTtlMs!: number;

  @Setting({
    name: 'AUTO_DELETE',
    type: 'boolean',
    default: 'true',
    help: 'Whether surplus engines are removed after ENGINE_GRACE_PERIOD_S (`true`) or after IDLE_TTL_S (`false`)',
  })
  autoDelete!: boolean;

  @Setting({
    name: 'MONITOR_INTERVAL_S',
    type: 'seconds',
    min: 0.1,
    max: 3600,
    default: '10',
    help: 'Maximum seconds between two reads of the engine list from the container runtime',
  })
  monitorIntervalMs!: number;

  faults(): SettingFault[] {
    if (this.minReplicas <= this.maxReplicas) return [];
    const problem = `must not be more than MAX_REPLICAS (${this.maxReplicas})`;
    const instead = { name: 'MIN_REPLICAS', value: String(this.maxReplicas) };
    return [{ name: 'MIN_REPLICAS', value: String(this.minReplicas), problem, instead }];
  }
}
