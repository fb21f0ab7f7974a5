/** What an engine said of a stream at one moment; null is what it did not say. Whole numbers: speeds in kB/s, totals in bytes. */
export interface Snapshot {
  /** Milliseconds since the epoch. */
  ts: number;
  peers: number | null;
  speedDown: number | null;
  speedUp: number | null;
  downloaded: number | null;
  uploaded: number | null;
  status: string | null;
}

/** The latest snapshots of each stream, in memory: what reads are answered from. */
export class StatBook {
  private readonly streams = new Map<string, Snapshot[]>();

  /** @param perStream how many are kept of each */
  constructor(private readonly perStream: number) {}

  /** Adds one that is newer than all of its stream. */
  add(streamId: string, snapshot: Snapshot): void {
    const snapshots = this.streams.get(streamId) ?? [];
    this.streams.set(streamId, snapshots);
    snapshots.push(snapshot);
    // Cut in large pieces: to shift a long list by one each time would be felt with many streams.
    if (snapshots.length >= 2 * this.perStream) snapshots.splice(0, snapshots.length - this.perStream);
  }

  /** Takes over what is remembered from an earlier run, oldest first. */
  restore(streamId: string, snapshots: readonly Snapshot[]): void {
    if (snapshots.length > 0) this.streams.set(streamId, [...snapshots, ...this.since(streamId)]);
  }

  /** Those of a stream that are not older than `from` (milliseconds since the epoch), oldest first. */
  since(streamId: string, from = -Infinity): Snapshot[] {
    return (this.streams.get(streamId) ?? []).slice(-this.perStream).filter(({ ts }) => ts >= from);
  }

  /** When the oldest of a stream was taken; null where it has none. */
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
