import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateStreamStats1764020000000 implements MigrationInterface {
  readonly name = 'CreateStreamStats1764020000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE "stream_stats" (
        "stream_id" text NOT NULL,
        "ts" integer NOT NULL,
        "peers" integer,
        "speed_down" integer,
        "speed_up" integer,
        "downloaded" integer,
        "uploaded" integer,
        "status" text,
        PRIMARY KEY ("stream_id", "ts")
      ) WITHOUT ROWID`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE "stream_stats"`);
  }
}
