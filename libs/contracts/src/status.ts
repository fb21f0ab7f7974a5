import { ApiProperty } from '@nestjs/swagger';
import { CIRCUIT_STATES, type CircuitState } from './health.js';
import { HEALTH_STATUSES, type HealthStatus } from './engine.js';
import { BLOCKED_CODES, type BlockedCode } from './provisioning.js';
import { VPN_HEALTHS, type VpnHealth } from './vpn.js';

/** How good an engine is for the next stream; `GET /engines/health-score`. */
export class EngineHealthScore {
  @ApiProperty({ example: '3f1c9a7be2d4' })
  container_id!: string;

  @ApiProperty({ example: '127.0.0.1' })
  host!: string;

  @ApiProperty({ type: 'integer', example: 19000 })
  port!: number;

  @ApiProperty({ type: 'integer', minimum: 0, maximum: 100, example: 90 })
  health_score!: number;

  @ApiProperty({ type: 'integer', example: 0 })
  stream_count!: number;

  @ApiProperty({ enum: HEALTH_STATUSES })
  health_status!: HealthStatus;

  @ApiProperty({ type: [String], description: 'What the score is made of', example: ['healthy: 100', '1 missed check: -10'] })
  reasons!: string[];
}

/** One circuit breaker. */
export class CircuitBreakerStatus {
  @ApiProperty({ enum: CIRCUIT_STATES })
  state!: CircuitState;

  @ApiProperty({ type: 'integer', description: 'In a row', example: 0 })
  failure_count!: number;

  @ApiProperty({ type: 'integer', description: 'So many in a row open it', example: 5 })
  failure_threshold!: number;

  @ApiProperty({ type: 'integer', description: 'Whole seconds that it stays open', example: 300 })
  recovery_timeout!: number;

  @ApiProperty({ type: 'integer', description: 'Whole seconds until one is tried; 0 unless open', example: 0 })
  recovery_eta_seconds!: number;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  last_failure_time!: string | null;

  @ApiProperty({ type: String, nullable: true, example: 'no space left on device' })
  last_failure_reason!: string | null;
}

export class CircuitBreakers {
  @ApiProperty({ type: () => CircuitBreakerStatus, description: 'Of starting engines' })
  general!: CircuitBreakerStatus;

  @ApiProperty({ type: () => CircuitBreakerStatus, description: 'Of starting engines in place of unhealthy ones' })
  replacement!: CircuitBreakerStatus;
}

/** `GET /health/status`: how the engines do. */
export class EnginesHealthStatus {
  @ApiProperty({ type: 'integer', description: 'Engines whose API has answered', example: 3 })
  total_engines!: number;

  @ApiProperty({ type: 'integer', example: 3 })
  healthy_engines!: number;

  @ApiProperty({ type: 'integer', description: 'Those that drain included', example: 0 })
  unhealthy_engines!: number;

  @ApiProperty({ type: 'integer', description: 'Unhealthy ones that drain and are replaced', example: 0 })
  marked_for_replacement!: number;

  @ApiProperty({ type: 'integer', description: 'MIN_REPLICAS', example: 3 })
  minimum_required!: number;

  @ApiProperty({ type: 'integer', description: 'Whole seconds', example: 30 })
  health_check_interval!: number;

  @ApiProperty({ type: () => CircuitBreakers })
  circuit_breakers!: CircuitBreakers;
}

export class EngineFigures {
  @ApiProperty({ type: 'integer', description: 'Those ordered included', example: 4 })
  total!: number;

  @ApiProperty({ type: 'integer', example: 4 })
  running!: number;

  @ApiProperty({ type: 'integer', example: 3 })
  healthy!: number;

  @ApiProperty({ type: 'integer', example: 0 })
  unhealthy!: number;
}

export class StreamFigures {
  @ApiProperty({ type: 'integer', example: 1 })
  active!: number;

  @ApiProperty({ type: 'integer', description: 'Ended ones that are remembered included', example: 12 })
  total!: number;
}

export class CapacityFigures {
  @ApiProperty({ type: 'integer', description: 'Streams that the engines there are can carry', example: 3 })
  total!: number;

  @ApiProperty({ type: 'integer', example: 1 })
  used!: number;

  @ApiProperty({ type: 'integer', example: 2 })
  available!: number;

  @ApiProperty({ type: 'integer', example: 20 })
  max_replicas!: number;

  @ApiProperty({ type: 'integer', example: 3 })
  min_replicas!: number;
}

export class VpnFigures {
  @ApiProperty()
  enabled!: boolean;

  @ApiProperty()
  connected!: boolean;

  @ApiProperty({ enum: VPN_HEALTHS })
  health!: VpnHealth;

  @ApiProperty({ type: String, nullable: true, example: 'gluetun' })
  container!: string | null;

  @ApiProperty({ type: 'integer', nullable: true, example: 51234 })
  forwarded_port!: number | null;
}

/** Why no engine can be started just now. */
export class BlockedReason {
  @ApiProperty({ enum: BLOCKED_CODES })
  code!: BlockedCode;

  @ApiProperty({ example: 'all 20 engines of MAX_REPLICAS exist already' })
  message!: string;

  @ApiProperty({ type: 'integer', description: 'Whole seconds', example: 30 })
  recovery_eta_seconds!: number;

  @ApiProperty()
  can_retry!: boolean;

  @ApiProperty()
  should_wait!: boolean;
}

export class ProvisioningAbility {
  @ApiProperty()
  can_provision!: boolean;

  @ApiProperty({ enum: CIRCUIT_STATES })
  circuit_breaker_state!: CircuitState;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  last_failure!: string | null;

  @ApiProperty({ type: String, nullable: true, example: 'all 20 engines of MAX_REPLICAS exist already' })
  blocked_reason!: string | null;

  @ApiProperty({ type: () => BlockedReason, nullable: true })
  blocked_reason_details!: BlockedReason | null;
}

export class ConfigFigures {
  @ApiProperty()
  auto_delete!: boolean;

  @ApiProperty({ type: 'integer', description: 'Whole seconds', example: 30 })
  grace_period_s!: number;

  @ApiProperty({ description: 'How engines are run, where they have no image', example: 'acestream/engine:latest' })
  target_image!: string;
}

export const ORCHESTRATOR_STATUSES = ['healthy', 'degraded', 'unavailable'] as const;

/** `GET /orchestrator/status` (wire API 1.4). */
export class OrchestratorStatus {
  @ApiProperty({ enum: ORCHESTRATOR_STATUSES })
  status!: (typeof ORCHESTRATOR_STATUSES)[number];

  @ApiProperty({ type: () => EngineFigures })
  engines!: EngineFigures;

  @ApiProperty({ type: () => StreamFigures })
  streams!: StreamFigures;

  @ApiProperty({ type: () => CapacityFigures })
  capacity!: CapacityFigures;

  @ApiProperty({ type: () => VpnFigures })
  vpn!: VpnFigures;

  @ApiProperty({ type: () => ProvisioningAbility })
  provisioning!: ProvisioningAbility;

  @ApiProperty({ type: () => ConfigFigures })
  config!: ConfigFigures;

  @ApiProperty({ format: 'date-time' })
  timestamp!: string;
}
