import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What an operator ordered of the pool, over restarts; one row, or none where nothing was ordered. */
@Entity({ name: 'pool' })
export class PoolRow {
  /** Always 1: there is one pool in a database. */
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  /** `POST /scale`: the least number of engines there are to be. */
  @Column({ name: 'manual_floor', type: 'integer' })
  manualFloor!: number;

  @Column({ name: 'set_at', type: 'text' })
  setAt!: string;
}
