import { Setting, SettingsGroup } from '@acexy/service-kit';
import { VpnSettings } from '../vpn/vpn-settings.js';

@SettingsGroup('Provisioning')
export class ProvisioningSettings extends VpnSettings {
  @Setting({
    name: 'MAX_CONCURRENT_PROVISIONS',
    type: 'integer',
    min: 1,
    max: 100,
    default: '5',
    help: 'Maximum number of engines that are started at the same time',
  })
  maxConcurrentProvisions!: number;

  @Setting({
    name: 'MIN_PROVISION_INTERVAL_S',
    aliases: ['PROVISION_INTERVAL_S'],
    type: 'seconds',
    max: 600,
    default: '0.5',
    help: 'Minimum time between the starts of two engines',
  })
  minProvisionIntervalMs!: number;

  @Setting({
    name: 'PROVISION_TIMEOUT_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '120',
    help: 'Time limit of a provision, including the wait in the queue',
  })
  provisionTimeoutMs!: number;

  @Setting({
    name: 'PROVISION_STARTUP_GRACE_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '30',
    help: 'Time limit from the moment an engine runs until its API answers; later it is removed',
  })
  startupGraceMs!: number;

  @Setting({
    name: 'STARTUP_TIMEOUT_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '25',
    help: 'Time limit for creating and starting a container or process, until it runs',
  })
  startupTimeoutMs!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_THRESHOLD',
    aliases: ['CIRCUIT_BREAKER_FAILURE_THRESHOLD'],
    type: 'integer',
    min: 1,
    max: 1000,
    default: '5',
    help: 'Failed provisions in a row that open the circuit breaker and so stop further provisions',
  })
  circuitBreakerThreshold!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_TIMEOUT_S',
    aliases: ['CIRCUIT_BREAKER_RECOVERY_TIMEOUT_S'],
    type: 'seconds',
    min: 0.1,
    max: 86_400,
    default: '300',
    help: 'Time the circuit breaker stays open before one trial is permitted',
  })
  circuitBreakerTimeoutMs!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_REPLACEMENT_THRESHOLD',
    type: 'integer',
    min: 1,
    max: 1000,
    default: '3',
    help: 'CIRCUIT_BREAKER_THRESHOLD for replacements of unhealthy engines',
  })
  replacementBreakerThreshold!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_REPLACEMENT_TIMEOUT_S',
    type: 'seconds',
    min: 0.1,
    max: 86_400,
    default: '180',
    help: 'CIRCUIT_BREAKER_TIMEOUT_S for replacements of unhealthy engines',
  })
  replacementBreakerTimeoutMs!: number;

  @Setting({
    name: 'MAX_RETRIES',
    type: 'integer',
    min: 0,
    max: 100,
    default: '3',
    help: 'Retries of a failed call to an engine or to the container runtime before the next regular call',
  })
  maxRetries!: number;

  @Setting({
    name: 'RETRY_BACKOFF_S',
    type: 'seconds',
    max: 600,
    default: '2',
    help: 'Delay before the first retry; doubled for each further one',
  })
  retryBackoffMs!: number;
}
