import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateInstallationAndStreams1764000000000 implements MigrationInterface {
  readonly name = 'CreateInstallationAndStreams1764000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE "installation" (
        "id" integer PRIMARY KEY NOT NULL CHECK ("id" = 1),
        "uuid" text NOT NULL,
        "created_at" text NOT NULL
      )`);
    await queryRunner.query(`
      CREATE TABLE "streams" (
        "id" text PRIMARY KEY NOT NULL,
        "key_type" text NOT NULL,
        "key" text NOT NULL,
        "infohash" text,
        "container_id" text NOT NULL,
        "proxy_id" text,
        "playback_session_id" text NOT NULL,
        "stat_url" text NOT NULL,
        "command_url" text NOT NULL,
        "is_live" boolean NOT NULL,
        "started_at" text NOT NULL,
        "ended_at" text,
        "end_reason" text,
        "status" text NOT NULL
      )`);
    await queryRunner.query(`CREATE INDEX "streams_by_status" ON "streams" ("status", "started_at")`);
    await queryRunner.query(`CREATE INDEX "streams_by_start" ON "streams" ("started_at")`);
    await queryRunner.query(`CREATE INDEX "streams_by_container" ON "streams" ("container_id", "started_at")`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE "streams"`);
    await queryRunner.query(`DROP TABLE "installation"`);
  }
}
