import { ApiProperty, ApiPropertyOptional } from '@acexy/service-kit/openapi';
import { IsBoolean, IsOptional, IsUUID } from 'class-validator';
import { ContentKeyWithInfohash, EXAMPLE_COMMAND_URL, EXAMPLE_STAT_URL } from './stream.js';
import { IsListOf, IsMoment, IsText, IsWholeNumber, IsWord } from './validators.js';
import { PROXY_ID_VERDICTS, type ProxyIdVerdict, type ReportedSessionState, SESSION_STATES } from './vocabulary.js';

const EMPTY_AT_FIRST = 'Empty until the engine has answered';

/** One engine session, reported by the proxy that owns it. */
export class ReportedSession extends ContentKeyWithInfohash {
  @ApiProperty({ description: 'Stays the same after a failover' })
  @IsUUID()
  stream_id!: string;

  @ApiPropertyOptional({ type: String, nullable: true })
  @IsOptional()
  @IsUUID()
  lease_id?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, example: '3f1c9a7be2d4' })
  @IsOptional()
  @IsText(256, 1)
  container_id?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'Title of the content, when the engine knows it', example: 'News' })
  @IsOptional()
  @IsText(256)
  title?: string | null;

  @ApiProperty({ example: '127.0.0.1' })
  @IsText(255)
  host!: string;

  @ApiProperty({ description: '0 until an engine is chosen', example: 19000 })
  @IsWholeNumber(0, 65535)
  port!: number;

  @ApiProperty({ enum: SESSION_STATES, description: 'An unknown state counts as `playing`' })
  @IsWord(SESSION_STATES, 'playing')
  state!: ReportedSessionState;

  @ApiProperty({ description: EMPTY_AT_FIRST, example: 'a1b2c3d4e5f60718293a4b5c6d7e8f9001234567' })
  @IsText(256)
  playback_session_id!: string;

  @ApiProperty({ description: EMPTY_AT_FIRST, example: EXAMPLE_STAT_URL })
  @IsText(2048)
  stat_url!: string;

  @ApiProperty({ description: EMPTY_AT_FIRST, example: EXAMPLE_COMMAND_URL })
  @IsText(2048)
  command_url!: string;

  @ApiProperty()
  @IsBoolean()
  is_live!: boolean;

  @ApiProperty({ example: 2 })
  @IsWholeNumber(0)
  viewers!: number;

  @ApiProperty({ example: 0 })
  @IsWholeNumber(0)
  failovers!: number;

  @ApiProperty()
  @IsMoment()
  started_at!: string;
}

export class EndedSession {
  @ApiProperty()
  @IsUUID()
  stream_id!: string;

  @ApiProperty({ example: 'the last viewer left' })
  @IsText(1024)
  reason!: string;

  @ApiProperty()
  @IsMoment()
  ended_at!: string;
}

/** `PUT /proxies/{proxy_id}/report`: all sessions of the proxy, and the sessions that ended since the last acknowledged report. */
export class ProxyReport {
  @ApiProperty({ description: 'New at every start of the proxy' })
  @IsUUID()
  boot_id!: string;

  @ApiProperty({
    description: 'Rises with every report of one boot. A report with a lower number than the last one is ignored',
    example: 7,
  })
  @IsWholeNumber(0)
  seq!: number;

  @ApiProperty({ type: () => [ReportedSession] })
  @IsListOf(() => ReportedSession, 5000)
  sessions!: ReportedSession[];

  @ApiProperty({ type: () => [EndedSession] })
  @IsListOf(() => EndedSession, 20_000)
  ended!: EndedSession[];
}

/** An engine that the proxy should leave before the deadline. Its streams continue on another engine. */
export class LeaveOrder {
  @ApiProperty({ example: '3f1c9a7be2d4' })
  container_id!: string;

  @ApiProperty({ example: 'unhealthy' })
  reason!: string;

  @ApiProperty({ format: 'date-time' })
  deadline!: string;
}

export class ReportAnswer {
  @ApiProperty({ format: 'uuid', description: 'boot_id of the report' })
  boot_id!: string;

  @ApiProperty({ type: 'integer', description: 'seq of the report', example: 7 })
  ack_seq!: number;

  @ApiProperty({ type: () => [LeaveOrder] })
  leave!: LeaveOrder[];

  @ApiProperty({
    type: 'integer',
    description: 'Viewers that wait for an engine: the proxy ends as many sessions without viewers',
    example: 0,
  })
  engines_wanted!: number;

  @ApiPropertyOptional({
    enum: PROXY_ID_VERDICTS,
    description: 'Another proxy has the same id. `replace`: this proxy takes a new one; `keep`: the other one does',
    example: 'keep',
  })
  identity?: ProxyIdVerdict;
}
