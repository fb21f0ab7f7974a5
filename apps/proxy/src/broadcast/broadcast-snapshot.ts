/** What a broadcast says about itself. Plain data. */
import type { Program } from '@acexy/mpegts';
import type { SourceReading } from './splice/source-faults.policy.js';
import type { SpliceKind } from './splice/source-switch.js';

export interface ViewerSnapshot {
  readonly id: number;
  /** Stream bytes written out to it. */
  readonly bytesSent: number;
  /** How far it is behind the newest step, in bytes and in milliseconds of media. */
  readonly lagBytes: number;
  readonly lagMs: number;
  /** Jumps over stream that it was too slow for. */
  readonly skips: number;
}

export interface BroadcastSnapshot {
  /** Bytes taken from the source, packets or not. */
  readonly bytesIn: number;
  readonly packetsIn: number;
  /** Bits per second of media, over what the ring holds; null until that can be told. */
  readonly bitrate: number | null;
  readonly ring: { readonly bytes: number; readonly seconds: number };
  /** How often packets were not where they should have been. */
  readonly losses: number;
  /** How often continuity counters did not run on: packets lost on the way. */
  readonly counterBreaks: number;
  /** Bytes that belonged to no packet, in all and since packets were last found. */
  readonly bytesSkipped: number;
  readonly bytesWithoutLock: number;
  readonly locked: boolean;
  /** Ticks of 27 MHz. */
  readonly lastPcr: number | null;
  /** Milliseconds of media taken in. */
  readonly mediaMs: number;
  /** When the PCR last moved on (milliseconds of the broadcast's clock), and the bytes of stream since. */
  readonly clockAt: number | null;
  readonly bytesSinceClock: number;
  /** How often the PCR ran back, or on by more than a second. */
  readonly clockLeaps: number;
  /** Clock references in a row that the source had sent before. */
  readonly repeats: number;
  /** Milliseconds of the broadcast's clock. */
  readonly lastByteAt: number | null;
  /** How often the stream has gone on from another source, by how it did. */
  readonly splices: Readonly<Record<SpliceKind, number>>;
  /** As told by the PMT, e.g. ['h264', 'aac']. */
  readonly codecs: readonly string[];
  readonly viewers: readonly ViewerSnapshot[];
}

/** ISO/IEC 13818-1, table 2-34. */
const CODECS: ReadonlyMap<number, string> = new Map([
  [0x01, 'mpeg1video'],
  [0x02, 'mpeg2video'],
  [0x03, 'mp1'],
  [0x04, 'mp2'],
  [0x06, 'private'],
  [0x0f, 'aac'],
  [0x11, 'aac-latm'],
  [0x1b, 'h264'],
  [0x24, 'hevc'],
  [0x81, 'ac3'],
  [0x87, 'eac3'],
]);

export function codecsOf(program: Program | null): string[] {
  if (program === null) return [];
  return program.pmt.streams.map(({ streamType }) => CODECS.get(streamType) ?? `0x${streamType.toString(16).padStart(2, '0')}`);
}

/** What the watch over a source looks at, taken at `now`. */
export function readingOf(snapshot: BroadcastSnapshot, now: number): SourceReading {
  return { ...snapshot, now, losses: snapshot.losses + snapshot.counterBreaks };
}
