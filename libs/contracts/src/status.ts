import { ApiProperty } from '@acexy/service-kit/openapi';
import { BlockedReason } from './provisioning.js';
import {
  CIRCUIT_STATES,
  type CircuitState,
  HEALTH_STATUSES,
  type HealthStatus,
  ORCHESTRATOR_STATUSES,
  VPN_HEALTHS,
  type VpnHealth,
} from './vocabulary.js';

/** `GET /engines/health-score`: how suitable an engine is for the next stream. */
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

  @ApiProperty({ type: [String], description: 'Parts of the score', example: ['healthy: 100', '1 missed check: -10'] })
  reasons!: string[];
}

/** One circuit breaker. */
export class CircuitBreakerStatus {
  @ApiProperty({ enum: CIRCUIT_STATES })
  state!: CircuitState;

  @ApiProperty({ type: 'integer', description: 'Failures in a row', example: 0 })
  failure_count!: number;

  @ApiProperty({ type: 'integer', description: 'Failures in a row that open the circuit', example: 5 })
  failure_threshold!: number;

  @ApiProperty({ type: 'integer', description: 'Whole seconds that the circuit stays open', example: 300 })
  recovery_timeout!: number;

  @ApiProperty({ type: 'integer', description: 'Whole seconds until a trial start is allowed; 0 unless open', example: 0 })
  recovery_eta_seconds!: number;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  last_failure_time!: string | null;

  @ApiProperty({ type: String, nullable: true, example: 'no space left on device' })
  last_failure_reason!: string | null;
}

export class CircuitBreakers {
  @ApiProperty({ type: () => CircuitBreakerStatus, description: 'Guards the start of engines' })
  general!: CircuitBreakerStatus;

  @ApiProperty({ type: () => CircuitBreakerStatus, description: 'Guards the start of engines that replace unhealthy ones' })
  replacement!: CircuitBreakerStatus;
}

/** `GET /health/status`: health of the engines. */
export class EnginesHealthStatus {
  @ApiProperty({ type: 'integer', description: 'Engines whose API has answered', example: 3 })
  total_engines!: number;

  @ApiProperty({ type: 'integer', example: 3 })
  healthy_engines!: number;

  @ApiProperty({ type: 'integer', description: 'Unhealthy engines, draining ones included', example: 0 })
  unhealthy_engines!: number;

  @ApiProperty({ type: 'integer', description: 'Unhealthy engines that drain and are replaced', example: 0 })
  marked_for_replacement!: number;

  @ApiProperty({ type: 'integer', description: 'MIN_REPLICAS', example: 3 })
  minimum_required!: number;

  @ApiProperty({ type: 'integer', description: 'Whole seconds between health checks', example: 30 })
  health_check_interval!: number;

  @ApiProperty({ type: () => CircuitBreakers })
  circuit_breakers!: CircuitBreakers;
}

export class EngineFigures {
  @ApiProperty({ type: 'integer', description: 'All engines, ordered ones included', example: 4 })
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

  @ApiProperty({ type: 'integer', description: 'Active streams plus ended ones that are still remembered', example: 12 })
  total!: number;
}

export class CapacityFigures {
  @ApiProperty({ type: 'integer', description: 'Streams that the existing engines can play', example: 3 })
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

export class ProvisioningAbility {
  @ApiProperty()
  can_provision!: boolean;

  @ApiProperty({ enum: CIRCUIT_STATES })
  circuit_breaker_state!: CircuitState;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  last_failure!: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    example: 'the limit of 20 engines is reached: raise MAX_REPLICAS (behind a VPN also MAX_ACTIVE_REPLICAS), or wait for a free engine',
  })
  blocked_reason!: string | null;

  @ApiProperty({ type: () => BlockedReason, nullable: true })
  blocked_reason_details!: BlockedReason | null;
}

export class ConfigFigures {
  @ApiProperty()
  auto_delete!: boolean;

  @ApiProperty({ type: 'integer', description: 'Whole seconds', example: 30 })
  grace_period_s!: number;

  @ApiProperty({ description: 'Engine image, or the kind of runtime when engines have no image', example: 'acestream/engine:latest' })
  target_image!: string;
}

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
