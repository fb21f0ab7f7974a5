import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsIn, IsInt, IsOptional, IsString, IsUUID, Length, Matches, Max, Min } from 'class-validator';
import { EngineState } from './engine.js';
import { KEY_TYPES, type KeyType } from './stream.js';

export const LEASE_PURPOSES = ['start', 'failover', 'reserve'] as const;
export type LeasePurpose = (typeof LEASE_PURPOSES)[number];

/** 40 hexadecimal digits, either case. */
export const INFOHASH_PATTERN = /^[0-9a-fA-F]{40}$/;

/** `POST /engines/lease`: reserve one engine for one stream. */
export class LeaseRequest {
  @ApiProperty({ format: 'uuid', description: 'The same request_id is the same lease and keeps its place in the queue' })
  @IsUUID()
  request_id!: string;

  @ApiProperty({ format: 'uuid' })
  @IsUUID()
  proxy_id!: string;

  @ApiProperty({ format: 'uuid' })
  @IsUUID()
  boot_id!: string;

  @ApiProperty({ enum: KEY_TYPES })
  @IsIn(KEY_TYPES)
  key_type!: KeyType;

  @ApiProperty({
    description: 'The content id or infohash (or what else key_type says)',
    example: 'dd1e67078381739d14beca697356ab76d49d1a2d',
  })
  @IsString()
  @Length(1, 4096)
  key!: string;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description: 'Where it is known already',
    example: '0a48b0a5ad6b4dd1b6a6c3c0c4b4f5d5e6f70819',
  })
  @IsOptional()
  @Matches(INFOHASH_PATTERN, { message: 'infohash must be 40 hexadecimal digits' })
  infohash?: string | null;

  @ApiProperty({ type: [String], description: 'Engines this stream has tried already', example: [] })
  @IsArray()
  @ArrayMaxSize(1000)
  @IsString({ each: true })
  @Length(1, 256, { each: true })
  exclude!: string[];

  @ApiProperty({ enum: LEASE_PURPOSES })
  @IsIn(LEASE_PURPOSES)
  purpose!: LeasePurpose;

  @ApiProperty({ description: 'How long the answer may wait for an engine, in milliseconds', minimum: 0, maximum: 60000, example: 2500 })
  @IsInt()
  @Min(0)
  @Max(60_000)
  wait_ms!: number;
}

/** Why an engine was or was not taken; `chosen` is the one that was. */
export class ConsideredEngine {
  @ApiProperty({ example: '3f1c9a7be2d4' })
  container_id!: string;

  @ApiProperty({ example: 'full: 1 of 1 streams' })
  verdict!: string;
}

/** 200: the engine is reserved until `expires_at`, then for as long as a report names the lease. */
export class LeaseGranted {
  @ApiProperty({ format: 'uuid' })
  lease_id!: string;

  @ApiProperty({ type: () => EngineState })
  engine!: EngineState;

  @ApiProperty({ format: 'date-time' })
  expires_at!: string;

  @ApiProperty({ example: 'healthy, 0 streams, never used, best of 3 free' })
  reason!: string;

  @ApiProperty({ type: () => [ConsideredEngine] })
  considered!: ConsideredEngine[];
}

/** 202: none free yet; ask again with the same `request_id`. */
export class LeaseWaiting {
  @ApiProperty({ enum: ['waiting'] })
  state!: 'waiting';

  @ApiProperty({ type: 'integer', example: 250 })
  retry_after_ms!: number;

  @ApiProperty({ type: 'integer', description: 'Place in the queue, 1 is next', example: 1 })
  position!: number;

  @ApiProperty({ type: 'integer', description: 'Engines that are being started', example: 1 })
  provisioning!: number;
}
