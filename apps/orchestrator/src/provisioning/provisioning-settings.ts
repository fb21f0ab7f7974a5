import { Setting, SettingsGroup } from '@acexy/service-kit/settings';
import { parseManagementLabel } from '../runtime/engine-labels.js';

@SettingsGroup('Provisioning')
export class ProvisioningSettings {
  @Setting({
    name: 'MAX_CONCURRENT_PROVISIONS',
    type: 'integer',
    min: 1,
    max: 100,
    default: '5',
    help: 'Maximum engines started at the same time',
  })
  maxConcurrentProvisions!: number;

  @Setting({
    name: 'MIN_PROVISION_INTERVAL_S',
    aliases: ['PROVISION_INTERVAL_S'],
    type: 'seconds',
    max: 600,
    default: '0.5',
    help: 'Minimum seconds between the starts of two engines',
  })
  minProvisionIntervalMs!: number;

  @Setting({
    name: 'PROVISION_TIMEOUT_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '120',
    help: 'Maximum seconds of a provision, including its time in the queue',
  })
  provisionTimeoutMs!: number;

  @Setting({
    name: 'PROVISION_STARTUP_GRACE_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '30',
    help: 'Maximum seconds from the start of an engine until its API answers',
  })
  startupGraceMs!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_THRESHOLD',
    aliases: ['CIRCUIT_BREAKER_FAILURE_THRESHOLD'],
    type: 'integer',
    min: 1,
    max: 1000,
    default: '5',
    help: 'Failed provisions in a row that open the circuit breaker; those that run when one fails count with it',
  })
  circuitBreakerThreshold!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_TIMEOUT_S',
    aliases: ['CIRCUIT_BREAKER_RECOVERY_TIMEOUT_S'],
    type: 'seconds',
    min: 0.1,
    max: 86_400,
    default: '300',
    help: 'Seconds that the circuit breaker stays open before a trial provision; without a ready engine trials come after 5, 10, 20 s and so on, up to this',
  })
  circuitBreakerTimeoutMs!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_REPLACEMENT_THRESHOLD',
    type: 'integer',
    min: 1,
    max: 1000,
    default: '3',
    help: 'Failed replacements in a row that open the circuit breaker of replacements',
  })
  replacementBreakerThreshold!: number;

  @Setting({
    name: 'CIRCUIT_BREAKER_REPLACEMENT_TIMEOUT_S',
    type: 'seconds',
    min: 0.1,
    max: 86_400,
    default: '180',
    help: 'Seconds that the circuit breaker of replacements stays open before a trial; without a ready engine as for the other one',
  })
  replacementBreakerTimeoutMs!: number;

  @Setting({
    name: 'CONTAINER_LABEL',
    type: 'string',
    default: 'orchestrator.managed=acestream',
    check: parseManagementLabel,
    help: 'Label of every managed engine, key=value',
  })
  containerLabel!: string;

  @Setting({
    name: 'ENGINE_CACHE_LIMIT_GB',
    type: 'integer',
    min: 1,
    max: 10_000,
    default: '1',
    help: 'Maximum disk cache of each engine in gigabytes (CACHE_LIMIT of its image)',
  })
  engineCacheLimitGb!: number;
}
