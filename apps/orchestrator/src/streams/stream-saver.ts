import type { Log } from '@acexy/service-kit';
import type { StreamHistory } from '../database/stream-history.js';
import type { Stream } from './stream-book.js';
import { fromRow, toRow } from './stream-shapes.js';

/** Writes streams behind what memory says, and knows what of it would survive a kill. */
export class StreamSaver {
  /** Waits for the save of a stream as it is; what is not in here was read from the database. */
  private readonly saves = new WeakMap<Stream, () => Promise<void>>();

  constructor(
    private readonly history: StreamHistory,
    private readonly log: Log,
  ) {}

  /** Hands a stream to the queue of writes; what goes wrong is logged, and tried again by `durable` and `saveWhereStale`. */
  save(stream: Stream): void {
    this.write(stream).catch((error: unknown) => this.log.error('a stream could not be saved', { stream_id: stream.id, error }));
  }

  /**
   * Resolves when the stream as it is would survive a kill of this process.
   * @throws what the database says; to ask again is another try
   */
  async durable(stream: Stream): Promise<void> {
    await this.saves.get(stream)?.();
  }

  /**
   * Puts rows right that say "started" of what has ended or is not known: a write may have failed.
   * @throws what the database says
   */
  async saveWhereStale(known: (id: string) => Stream | undefined, now: number): Promise<void> {
    for (const row of await this.history.loadOpen()) {
      const stream = known(row.id) ?? { ...fromRow(row), endedAt: now, endReason: 'forgotten' };
      if (stream.endedAt !== null) await this.write(stream);
    }
  }

  private write(stream: Stream): Promise<void> {
    const saving = this.history.save(toRow(stream));
    this.saves.set(stream, () => saving);
    saving.catch(() => this.saves.set(stream, () => this.write(stream)));
    return saving;
  }
}
