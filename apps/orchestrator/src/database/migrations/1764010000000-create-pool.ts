import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreatePool1764010000000 implements MigrationInterface {
  readonly name = 'CreatePool1764010000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE "pool" (
        "id" integer PRIMARY KEY NOT NULL CHECK ("id" = 1),
        "manual_floor" integer NOT NULL CHECK ("manual_floor" >= 0),
        "set_at" text NOT NULL
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE "pool"`);
  }
}
