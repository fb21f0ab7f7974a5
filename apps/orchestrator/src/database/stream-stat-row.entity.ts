import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What an engine said of a stream at one moment; null is what it did not say. Rows of one stream lie together, in the order of time. */
@Entity({ name: 'stream_stats', withoutRowid: true })
export class StreamStatRow {
  @PrimaryColumn({ name: 'stream_id', type: 'text' })
  streamId!: string;

  /** Milliseconds since the epoch. */
  @PrimaryColumn({ type: 'integer' })
  ts!: number;

  @Column({ type: 'integer', nullable: true })
  peers!: number | null;

  /** kB/s */
  @Column({ name: 'speed_down', type: 'integer', nullable: true })
  speedDown!: number | null;

  /** kB/s */
  @Column({ name: 'speed_up', type: 'integer', nullable: true })
  speedUp!: number | null;

  /** bytes */
  @Column({ type: 'integer', nullable: true })
  downloaded!: number | null;

  /** bytes */
  @Column({ type: 'integer', nullable: true })
  uploaded!: number | null;

  @Column({ type: 'text', nullable: true })
  status!: string | null;
}
