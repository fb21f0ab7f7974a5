/** A source that is not part of the stream yet: holds its newest packets and finds the points at which it can be entered. */
import {
  FirstTimestamps,
  type PictureSamples,
  type Program,
  WRAP_90K,
  distance,
  forEachBlock,
  isAudio,
  readDts,
  samplePictures,
  wrapped,
} from '@acexy/mpegts';
import { entryPoints } from '../buffer/entry-points.policy.js';
import { type RandomAccessPoint, StreamIndex } from '../buffer/stream-index.js';
import { HeldPackets } from './held-packets.js';

/** Bytes held during the search: 8 s at 8 Mb/s. */
const MAX_HELD = 8 * 1024 * 1024;
/** Bytes to wait for after a keyframe until the first audio timestamps are known. */
const MAX_HEAD = 1024 * 1024;

/** Source and stream have the same clock. */
export interface SharedClock {
  /** The last picture that viewers have, on the outgoing clock (ticks of 90 kHz). */
  readonly lastDts: number;
  /** Added to the source's clock to get the outgoing one. */
  readonly offset: number;
}

export class CandidateSource {
  readonly #held = new HeldPackets(MAX_HELD);
  readonly #index: StreamIndex;
  #points: RandomAccessPoint[] = [];

  constructor(now: () => number) {
    this.#index = new StreamIndex(now, (point) => this.#points.push(point));
  }

  get program(): Program | null {
    return this.#index.program;
  }

  /** Takes the whole packets in `buffer[from, to)`. */
  observe(buffer: Buffer, from: number, to: number): void {
    const position = this.#held.endPosition;
    this.#held.append(buffer, from, to);
    this.#index.observe(buffer, from, to, position, this.#held);
  }

  /**
   * The point to enter at, or null if there is none yet: on a shared clock the first one after what viewers have, else the first one. A gradual
   * point is used only while there is no clean one.
   */
  chooseEntry(clock: SharedClock | null): RandomAccessPoint | null {
    const isUsable = ({ position }: RandomAccessPoint): boolean => {
      if (position < this.#held.startPosition) return false;
      if (clock === null) return true;
      const dts = readDts(this.#held.bytesFrom(position), 0);
      return distance(clock.lastDts, wrapped(dts + clock.offset, WRAP_90K), WRAP_90K) > 0;
    };
    const usable = entryPoints(this.#points, this.#index.clock.elapsedMs).filter(isUsable);
    return usable.find(({ kind }) => kind === 'clean') ?? usable.at(0) ?? null;
  }

  /** The first timestamps of video and audio from `position` on; null while more packets are needed. Other streams may start much later. */
  firstTimestampsFrom(position: number): FirstTimestamps | null {
    const program = this.#index.program;
    if (program === null) return null;
    const audio = program.pmt.streams.filter(isAudio).map(({ pid }) => pid);
    const pids = new Set([program.accessPid, ...audio]);
    const first = new FirstTimestamps(pids);
    forEachBlock(this.#held, position, (bytes) => first.read(bytes, 0));
    return first.hasFound(pids.size) || this.#held.endPosition - position >= MAX_HEAD ? first : null;
  }

  /** Samples of its pictures, with `offset` (ticks of 90 kHz) added to their times. */
  samplePictures(offset: number): PictureSamples {
    const pid = this.#index.program?.accessPid;
    return pid === undefined ? new Map() : samplePictures(this.#held, pid, offset);
  }

  /** Everything held from `position` on. */
  bytesFrom(position: number): Buffer[] {
    const blocks: Buffer[] = [];
    forEachBlock(this.#held, position, (bytes) => blocks.push(bytes));
    return blocks;
  }

  /** Drops everything held. */
  release(): void {
    this.#held.clear();
    this.#points = [];
  }
}
