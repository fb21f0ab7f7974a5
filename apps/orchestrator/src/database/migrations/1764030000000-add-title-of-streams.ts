import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddTitleOfStreams1764030000000 implements MigrationInterface {
  readonly name = 'AddTitleOfStreams1764030000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE "streams" ADD COLUMN "title" text`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE "streams" DROP COLUMN "title"`);
  }
}
