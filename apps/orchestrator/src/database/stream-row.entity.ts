import type { KeyType, StreamStatus } from '@acexy/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** One stream, playing or ended. Times are ISO 8601 in UTC, which sorts as text and works with SQLite's date functions. */
@Entity({ name: 'streams' })
@Index('streams_by_status', ['status', 'startedAt'])
@Index('streams_by_start', ['startedAt'])
@Index('streams_by_container', ['containerId', 'startedAt'])
export class StreamRow {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ name: 'key_type', type: 'text' })
  keyType!: KeyType;

  @Column({ type: 'text' })
  key!: string;

  @Column({ type: 'text', nullable: true })
  infohash!: string | null;

  @Column({ type: 'text', nullable: true })
  title!: string | null;

  /** Id of its engine; if that engine is unknown, the id that the client sent. */
  @Column({ name: 'container_id', type: 'text' })
  containerId!: string;

  /** Null for a stream reported by events. */
  @Column({ name: 'proxy_id', type: 'text', nullable: true })
  proxyId!: string | null;

  @Column({ name: 'playback_session_id', type: 'text' })
  playbackSessionId!: string;

  @Column({ name: 'stat_url', type: 'text' })
  statUrl!: string;

  @Column({ name: 'command_url', type: 'text' })
  commandUrl!: string;

  @Column({ name: 'is_live', type: 'boolean' })
  isLive!: boolean;

  @Column({ name: 'started_at', type: 'text' })
  startedAt!: string;

  @Column({ name: 'ended_at', type: 'text', nullable: true })
  endedAt!: string | null;

  @Column({ name: 'end_reason', type: 'text', nullable: true })
  endReason!: string | null;

  @Column({ type: 'text' })
  status!: StreamStatus;
}
