import { Setting, SettingsGroup } from '@acexy/service-kit';
import { VpnSettings } from '../vpn/vpn-settings.js';

/** How fast engines are started, and what becomes of starts that fail. */
@SettingsGroup('How fast engines are started')
export class ProvisioningSettings extends VpnSettings {
  @Setting({
    name: 'MAX_CONCURRENT_PROVISIONS',
    type: 'integer',
    min: 1,
    max: 100,
    default: '5',
    help: 'Engines that are started at the same time',
  })
  maxConcurrentProvisions!: number;

  @Setting({
    name: 'MIN_PROVISION_INTERVAL_S',
    aliases: ['PROVISION_INTERVAL_S'],
    type: 'seconds',
    max: 600,
    default: '0.5',
    help: 'Least time between the starts of two engines',
  })
  minProvisionIntervalMs!: number;

  @Setting({
    name: 'PROVISION_TIMEOUT_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '120',
    help: 'Limit of a whole provision, the wait in the queue included',
  })
  provisionTimeoutMs!: number;

  @Setting({
    name: 'PROVISION_STARTUP_GRACE_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '30',
    help: 'Time from a running engine until its API must have answered',
  })
  startupGraceMs!: number;

  @Setting({
    name: 'STARTUP_TIMEOUT_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '25',
    help: 'Limit of creating and starting, until the engine runs',
  })
  startupTimeoutMs!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_THRESHOLD',
    aliases: ['CIRCUIT_BREAKER_FAILURE_THRESHOLD'],
    type: 'integer',
    min: 1,
    max: 1000,
    default: '5',
    help: 'Failed provisions in a row that stop further ones',
  })
  circuitBreakerThreshold!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_TIMEOUT_S',
    aliases: ['CIRCUIT_BREAKER_RECOVERY_TIMEOUT_S'],
    type: 'seconds',
    min: 0.1,
    max: 86_400,
    default: '300',
    help: 'How long they stay stopped before one is tried',
  })
  circuitBreakerTimeoutMs!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_REPLACEMENT_THRESHOLD',
    type: 'integer',
    min: 1,
    max: 1000,
    default: '3',
    help: 'The same for engines started in place of unhealthy ones',
  })
  replacementBreakerThreshold!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_REPLACEMENT_TIMEOUT_S',
    type: 'seconds',
    min: 0.1,
    max: 86_400,
    default: '180',
    help: 'How long those stay stopped before one is tried',
  })
  replacementBreakerTimeoutMs!: number;

  @Setting({
    name: 'MAX_RETRIES',
    type: 'integer',
    min: 0,
    max: 100,
    default: '3',
    help: 'How often a failed call to an engine or a failed look at Docker is repeated before its next regular time',
  })
  maxRetries!: number;

  @Setting({
    name: 'RETRY_BACKOFF_S',
    type: 'seconds',
    max: 600,
    default: '2',
    help: 'Pause before the first repetition, doubled each time',
  })
  retryBackoffMs!: number;
}
