/** The state of a broadcast as plain data. */
import type { Program } from '@acexy/mpegts';
import type { SpliceKind } from './splice/source-switch.js';

export interface ViewerSnapshot {
  readonly id: number;
  /** Stream bytes written to it. */
  readonly bytesSent: number;
  /** How far it is behind the newest chunk, in bytes and in milliseconds of media. */
  readonly lagBytes: number;
  readonly lagMs: number;
  /** How often it skipped a part of the stream because it was too slow. */
  readonly skips: number;
}

export interface BroadcastSnapshot {
  /** Bytes of the source, packets or not. */
  readonly bytesIn: number;
  /** Bits per second of media over the whole ring; null until it is known. */
  readonly bitrate: number | null;
  readonly ring: { readonly bytes: number; readonly seconds: number; readonly maxBytes: number };
  /** How often packet alignment was lost. */
  readonly losses: number;
  /** Continuity errors: packets were lost. */
  readonly counterBreaks: number;
  /** Bytes outside packets since the alignment was lost. */
  readonly bytesWithoutLock: number;
  /** Milliseconds of media so far. */
  readonly mediaMs: number;
  /** When the PCR last advanced (milliseconds of the broadcast's clock), and the bytes since then. */
  readonly pcrAdvancedAt: number | null;
  readonly bytesSincePcrAdvance: number;
  /** How many of the last PCRs in a row the source had sent before. */
  readonly repeats: number;
  /** Milliseconds of the broadcast's clock. */
  readonly lastByteAt: number | null;
  /** How often the stream continued from another source, by kind. */
  readonly splices: Readonly<Record<SpliceKind, number>>;
  /** From the PMT, e.g. ['h264', 'aac']. */
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
