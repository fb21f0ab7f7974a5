import { Setting, SettingsGroup } from '@acexy/service-kit/settings';

/** When an engine is unhealthy, and how unhealthy engines are replaced. */
@SettingsGroup('Health of engines')
export class HealthSettings {
  @Setting({
    name: 'HEALTH_CHECK_INTERVAL_S',
    type: 'seconds',
    min: 0.1,
    max: 3600,
    default: '30',
    help: 'Seconds between two health checks of an engine',
  })
  healthCheckIntervalMs!: number;

  @Setting({
    name: 'HEALTH_CHECK_TIMEOUT_S',
    type: 'seconds',
    min: 0.1,
    max: 600,
    default: '5',
    help: 'Timeout of one health check in seconds',
  })
  healthCheckTimeoutMs!: number;

  @Setting({
    name: 'HEALTH_FAILURE_THRESHOLD',
    type: 'integer',
    min: 1,
    max: 100,
    default: '3',
    help: 'Failed health checks in a row that make an engine unhealthy',
  })
  healthFailureThreshold!: number;

  @Setting({
    name: 'HEALTH_UNHEALTHY_GRACE_PERIOD_S',
    type: 'seconds',
    max: 86_400,
    default: '60',
    help: 'Seconds until an unhealthy engine is drained and removed',
  })
  unhealthyGraceMs!: number;

  @Setting({
    name: 'HEALTH_REPLACEMENT_COOLDOWN_S',
    type: 'seconds',
    max: 86_400,
    default: '60',
    help: 'Minimum seconds between the replacements of two unhealthy engines',
  })
  replacementCooldownMs!: number;
}
