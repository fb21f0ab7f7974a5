/** A source that is not part of the stream yet: its newest packets, and what they say about where it can be entered. */
import { PACKET_SIZE, type FirstTimestamps, type Program, type RandomAccessKind, decodingTimeOf, isSound } from '@acexy/mpegts';
import { HeldPackets } from './held-packets.js';
import { FirstTimestampsReader } from '../../../../../libs/mpegts/src/first-timestamps.js';
import { pictureHeads } from '../../../../../libs/mpegts/src/same-pictures.js';
import { type AccessPoint, StreamIndex } from '../buffer/stream-index.js';

/** Bytes held while its place is looked for: 8 s at 8 Mb/s. */
const MAX_HELD = 8 * 1024 * 1024;
/** How much behind a keyframe is waited for, to know where the sound begins there. */
const MAX_HEAD = 1024 * 1024;

export interface CandidateEntry {
  readonly position: number;
  readonly kind: RandomAccessKind;
  /** Ticks of 90 kHz. */
  readonly dts: number;
}

export class CandidateSource {
  readonly #held = new HeldPackets(MAX_HELD);
  readonly #index: StreamIndex;
  #points: AccessPoint[] = [];
  #programKnown = false;

  constructor(now: () => number) {
    this.#index = new StreamIndex(now, (point) => this.#points.push(point));
  }

  get program(): Program | null {
    return this.#index.program;
  }

  /** Takes the whole packets in `buffer[from, to)`. */
  observe(buffer: Buffer, from: number, to: number): void {
    const position = this.#held.end;
    this.#held.append(buffer, from, to);
    for (let at = from; at < to; at += PACKET_SIZE) this.#index.observe(buffer, at, position + at - from);
    if (this.#programKnown || this.#index.program === null) return;
    this.#programKnown = true;
    // A keyframe may have gone by unrecognised before its tables.
    this.#each(this.#held.start, (bytes, start) => {
      for (let at = 0; at < bytes.length; at += PACKET_SIZE) this.#index.observe(bytes, at, start + at);
    });
  }

  /** The places where it can be entered, oldest first. */
  get entries(): CandidateEntry[] {
    return this.#points
      .filter(({ position }) => position >= this.#held.start)
      .map(({ position, kind }) => ({ position, kind, dts: decodingTimeOf(this.#held.bytesFrom(position), 0) }));
  }

  /** Where the clocks of picture and sound begin from `position` on; null while more of it is needed to tell. */
  startAt(position: number): FirstTimestamps | null {
    const program = this.#index.program;
    if (program === null) return null;
    // PoolSnapshot and sound set the pace. Others come and go.
    const sound = program.pmt.streams.filter(isSound).map(({ pid }) => pid);
    const pids = new Set([program.accessPid, ...sound]);
    const reader = new FirstTimestampsReader(pids);
    this.#each(position, (bytes) => reader.read(bytes, 0));
    return reader.hasFound(pids.size) || this.#held.end - position >= MAX_HEAD ? reader.start : null;
  }

  /** Heads of its pictures by their time plus `offset` (ticks of 90 kHz). */
  pictureHeads(offset: number): Map<number, Buffer> {
    const { start, end } = this.#held;
    const pid = this.#index.program?.accessPid;
    return pid === undefined
      ? new Map()
      : pictureHeads({ start, end, bytesFrom: (position) => this.#held.bytesFrom(position) }, pid, offset);
  }

  /** Everything held from `position` on. */
  bytesFrom(position: number): Buffer[] {
    const blocks: Buffer[] = [];
    this.#each(position, (bytes) => blocks.push(bytes));
    return blocks;
  }

  /** Forgets what is held. */
  release(): void {
    this.#held.clear();
    this.#points = [];
  }

  #each(from: number, visit: (bytes: Buffer, position: number) => void): void {
    for (let position = from; position < this.#held.end;) {
      const bytes = this.#held.bytesFrom(position);
      visit(bytes, position);
      position += bytes.length;
    }
  }
}
