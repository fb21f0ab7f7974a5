import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What an engine reported about a stream at one moment; null for values it did not report. Stored by stream and time. */
@Entity({ name: 'stream_stats', withoutRowid: true })
export class StreamStatRow {
  @PrimaryColumn({ name: 'stream_id', type: 'text' })
  streamId!: string;

  /** Wall time in milliseconds. */
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
