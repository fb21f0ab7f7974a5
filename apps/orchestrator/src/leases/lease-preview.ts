import { ConsideredEngine, EngineState, INFOHASH_PATTERN, KEY_TYPES, type KeyType } from '@acexy/contracts';
import { ApiProperty, ApiPropertyOptional } from '@acexy/service-kit/openapi';
import { IsIn, IsOptional, IsString, Length, Matches, MaxLength } from 'class-validator';

/** Query of `GET /engines/lease/preview`. */
export class LeasePreviewQuery {
  @ApiProperty({ enum: KEY_TYPES })
  @IsIn(KEY_TYPES)
  key_type!: KeyType;

  @ApiProperty()
  @IsString()
  @Length(1, 4096)
  key!: string;

  @ApiPropertyOptional()
  @IsOptional()
  @Matches(INFOHASH_PATTERN, { message: 'infohash must be 40 hexadecimal digits' })
  infohash?: string;

  @ApiPropertyOptional({ description: 'Ids of containers that must not be selected, separated by commas' })
  @IsOptional()
  @IsString()
  @MaxLength(65_536)
  exclude?: string;
}

export class LeasePreview {
  @ApiProperty({ type: () => EngineState, nullable: true, description: 'Null if no engine is free' })
  engine!: EngineState | null;

  @ApiProperty({ example: 'healthy, 0 streams, never used, best of 3 free' })
  reason!: string;

  @ApiProperty({ type: 'integer', description: 'Lease requests that are waiting', example: 0 })
  waiting!: number;

  @ApiProperty({ type: () => [ConsideredEngine] })
  considered!: ConsideredEngine[];
}
