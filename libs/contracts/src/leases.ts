import { ApiProperty, ApiPropertyOptional } from '@acexy/service-kit/openapi';
import { ArrayMaxSize, IsArray, IsBoolean, IsOptional, IsString, IsUUID, Length } from 'class-validator';
import { EngineState } from './engine.js';
import { ContentKeyWithInfohash } from './stream.js';
import { IsWholeNumber, IsWord } from './validators.js';
import { LEASE_PURPOSES, type LeasePurpose } from './vocabulary.js';

/** `POST /engines/lease`: reserve one engine for one stream. */
export class LeaseRequest extends ContentKeyWithInfohash {
  @ApiProperty({ description: 'A repeated request with the same id gets the same lease and keeps its place in the queue' })
  @IsUUID()
  request_id!: string;

  @ApiProperty()
  @IsUUID()
  proxy_id!: string;

  @ApiProperty({ description: 'New at every start of the proxy' })
  @IsUUID()
  boot_id!: string;

  @ApiProperty({ type: [String], description: 'Engines that this stream has already tried', example: [] })
  @IsArray()
  @ArrayMaxSize(1000)
  @IsString({ each: true })
  @Length(1, 256, { each: true })
  exclude!: string[];

  @ApiProperty({ enum: LEASE_PURPOSES, description: 'An unknown purpose counts as `start`' })
  @IsWord(LEASE_PURPOSES, 'start')
  purpose!: LeasePurpose;

  @ApiProperty({ description: 'Milliseconds that the call may wait for a free engine before it answers 202', example: 2500 })
  @IsWholeNumber(0, 60_000)
  wait_ms!: number;

  @ApiPropertyOptional({ description: 'Whether the answer has a verdict for every engine', default: true })
  @IsOptional()
  @IsBoolean()
  explain?: boolean;
}

/** Why an engine was chosen (`chosen`) or not. */
export class ConsideredEngine {
  @ApiProperty({ example: '3f1c9a7be2d4' })
  container_id!: string;

  @ApiProperty({ example: 'full: 1 of 1 streams' })
  verdict!: string;
}

/** 200: the engine is reserved until `expires_at`, and after that while reports name the lease. */
export class LeaseGranted {
  @ApiProperty({ format: 'uuid' })
  lease_id!: string;

  @ApiProperty({ type: () => EngineState })
  engine!: EngineState;

  @ApiProperty({ format: 'date-time' })
  expires_at!: string;

  @ApiProperty({ description: 'Why this engine was chosen', example: 'healthy, 0 streams, never used, best of 3 free' })
  reason!: string;

  @ApiProperty({ type: () => [ConsideredEngine], description: 'Empty if the request says `explain: false`' })
  considered!: ConsideredEngine[];
}

/** 202: no engine is free yet. Repeat the request with the same `request_id`. */
export class LeaseWaiting {
  @ApiProperty({ enum: ['waiting'] })
  state!: 'waiting';

  @ApiProperty({ type: 'integer', description: 'Milliseconds to wait before the request is repeated', example: 250 })
  retry_after_ms!: number;

  @ApiProperty({ type: 'integer', description: 'Place in the queue, starting with 1', example: 1 })
  position!: number;

  @ApiProperty({ type: 'integer', description: 'Number of engines that are starting', example: 1 })
  provisioning!: number;

  @ApiProperty({ type: String, nullable: true, description: 'Why the last start failed, until one succeeds', example: null })
  last_start_failure!: string | null;
}
