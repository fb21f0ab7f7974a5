import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Who we are over restarts; one row. */
@Entity({ name: 'installation' })
export class InstallationRow {
  /** Always 1: there is one installation in a database. */
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  @Column({ type: 'text' })
  uuid!: string;

  @Column({ name: 'created_at', type: 'text' })
  createdAt!: string;
}
