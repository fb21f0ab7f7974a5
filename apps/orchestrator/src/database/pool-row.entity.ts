import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What the operator has ordered for the pool; one row, or none. */
@Entity({ name: 'pool' })
export class PoolRow {
  /** Always 1. */
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  /** Set with `POST /scale/{demand}`; the column keeps the name of earlier releases. */
  @Column({ name: 'manual_floor', type: 'integer' })
  manualMinimum!: number;

  @Column({ name: 'set_at', type: 'text' })
  setAt!: string;
}
