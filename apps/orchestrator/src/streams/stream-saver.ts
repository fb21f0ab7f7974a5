import type { Log } from '@acexy/service-kit';
import type { StreamHistory } from '../database/stream-history.js';
import type { TrackedStream } from './stream-book.js';
import { fromRow, toRow } from './stream-shapes.js';

/** Saves streams to the database in the background, and knows which of them are saved. */
export class StreamSaver {
  /** Waits until this state of a stream is saved. A stream that is not in here was loaded from the database. */
  private readonly saves = new WeakMap<TrackedStream, () => Promise<void>>();

  constructor(
    private readonly history: StreamHistory,
    private readonly log: Log,
  ) {}

  /** Queues a write. A failure is logged; `durable` and `saveWhereStale` retry it. */
  save(stream: TrackedStream): void {
    this.write(stream).catch((error: unknown) => this.log.error('saving stream failed', { stream_id: stream.id, error }));
  }

  /**
   * Resolves when a kill of this process would not lose this state of the stream.
   * @throws what the database throws; calling it again retries
   */
  async durable(stream: TrackedStream): Promise<void> {
    await this.saves.get(stream)?.();
  }

  /**
   * Corrects rows of streams that are stored as playing but have ended or are unknown, because a write failed.
   * @throws what the database throws
   */
  async saveWhereStale(known: (id: string) => TrackedStream | undefined, now: number): Promise<void> {
    for (const row of await this.history.loadOpen()) {
      const stream = known(row.id) ?? { ...fromRow(row), endedAt: now, endReason: 'forgotten' };
      if (stream.endedAt !== null) await this.write(stream);
    }
  }

  private write(stream: TrackedStream): Promise<void> {
    const saving = this.history.save(toRow(stream));
    this.saves.set(stream, () => saving);
    saving.catch(() => this.saves.set(stream, () => this.write(stream)));
    return saving;
  }
}
