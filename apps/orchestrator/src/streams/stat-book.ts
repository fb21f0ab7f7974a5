import type { StreamStatRow } from '../database/stream-stat-row.entity.js';

/** What an engine reported about a stream at one moment. Integers. */
export type StatSample = Omit<StreamStatRow, 'streamId'>;

/** The latest statistics of each stream, in memory; the API reads from here. */
export class StatBook {
  private readonly streams = new Map<string, StatSample[]>();

  /** @param perStream number of samples kept for each stream */
  constructor(private readonly perStream: number) {}

  /** @param sample must be newer than all others of the stream */
  add(streamId: string, sample: StatSample): void {
    const samples = this.streams.get(streamId) ?? [];
    this.streams.set(streamId, samples);
    samples.push(sample);
    // Cut in large pieces: shifting a long list for every sample is slow with many streams.
    if (samples.length >= 2 * this.perStream) samples.splice(0, samples.length - this.perStream);
  }

  /** @param samples of an earlier run, oldest first */
  restore(streamId: string, samples: readonly StatSample[]): void {
    if (samples.length > 0) this.streams.set(streamId, [...samples, ...this.since(streamId)]);
  }

  /** @param from wall time in milliseconds @returns samples that are not older, oldest first */
  since(streamId: string, from = -Infinity): StatSample[] {
    return (this.streams.get(streamId) ?? []).slice(-this.perStream).filter(({ ts }) => ts >= from);
  }

  /** Wall time of the oldest sample; null if the stream has none. */
  oldest(streamId: string): number | null {
    return this.since(streamId)[0]?.ts ?? null;
  }

  has(streamId: string): boolean {
    return this.streams.has(streamId);
  }

  forget(streamId: string): void {
    this.streams.delete(streamId);
  }

  streamIds(): string[] {
    return [...this.streams.keys()];
  }
}
