import { ConsideredEngine, EngineState, INFOHASH_PATTERN, KEY_TYPES, type KeyType } from '@acexy/contracts';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, Length, Matches, MaxLength } from 'class-validator';

/** `GET /engines/lease/preview`: the content a lease would be for. */
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

  @ApiPropertyOptional({ description: 'Container ids not to take, separated by commas' })
  @IsOptional()
  @IsString()
  @MaxLength(65_536)
  exclude?: string;
}

/** What a lease would get now; nothing is reserved. */
export class LeasePreview {
  @ApiProperty({ type: () => EngineState, nullable: true, description: 'Null where none is free' })
  engine!: EngineState | null;

  @ApiProperty({ example: 'healthy, 0 streams, never used, best of 3 free' })
  reason!: string;

  @ApiProperty({ type: 'integer', description: 'Callers who wait already', example: 0 })
  waiting!: number;

  @ApiProperty({ type: () => [ConsideredEngine] })
  considered!: ConsideredEngine[];
}
