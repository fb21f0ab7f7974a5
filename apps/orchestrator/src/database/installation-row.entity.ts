import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One row. */
@Entity({ name: 'installation' })
export class InstallationRow {
  /** Always 1. */
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  @Column({ type: 'text' })
  uuid!: string;

  @Column({ name: 'created_at', type: 'text' })
  createdAt!: string;
}
