import { Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { DatabaseCompaction } from '../database/compaction.js';
import { StreamHistory } from '../database/stream-history.js';
import { WriteQueueClosedError } from '../database/write-queue.js';
import type { RemovedRows } from './collected-garbage.js';
import { RetentionSettings } from './retention-settings.js';
import { StatsCollector } from '../streams/stats-collector.service.js';
import { StreamService } from '../streams/stream.service.js';

const EVERY_MS = 10 * 60_000;
const DAY_MS = 86_400_000;

/** Deletes old rows and compacts the database, in small batches that do not delay other writes. */
@Injectable()
export class Retention {
  private sweeping: Promise<RemovedRows> | null = null;
  private readonly log: Log;

  constructor(
    private readonly streams: StreamService,
    private readonly collector: StatsCollector,
    private readonly history: StreamHistory,
    private readonly compaction: DatabaseCompaction,
    private readonly settings: RetentionSettings,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('retention');
  }

  @Interval('database retention', EVERY_MS)
  async scheduled(): Promise<void> {
    try {
      await this.sweep();
    } catch (error) {
      if (!(error instanceof WriteQueueClosedError)) this.log.error('deleting old rows failed', { error });
    }
  }

  /**
   * Deletes what is older than the settings allow, corrects rows that a failed write left wrong, and gives free space back.
   * @returns the number of deleted rows
   * @throws what the database throws
   */
  sweep(): Promise<RemovedRows> {
    this.sweeping ??= this.sweepNow().finally(() => (this.sweeping = null));
    return this.sweeping;
  }

  private async sweepNow(): Promise<RemovedRows> {
    const before = this.clock.wallTime() - this.settings.streamHistoryDays * DAY_MS;
    this.streams.endUnverifiable(this.clock.wallTime() - DAY_MS);
    this.streams.forgetEnded(before);
    await this.streams.saveWhereStale();
    const streams = await this.history.deleteEnded(new Date(before), this.settings.streamHistoryMax);
    const stats = await this.collector.prune();
    const pages = await this.compaction.run();
    if (streams + stats + pages > 0) this.log.info('old rows deleted', { streams, stats, pages });
    return { streams, stats };
  }
}
