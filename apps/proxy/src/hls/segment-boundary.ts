/** The first packets after a cut: audio units that started before it are moved to the previous segment, so that each unit is complete in one segment. */
import { PACKET_SIZE, type Program, UnitStartFilter, isAudio, pidOf } from '@acexy/mpegts';

/** An audio unit that has not ended after this many bytes is split. */
const MAX_BYTES = 512 * 1024;

export class SegmentBoundary {
  readonly #starts: UnitStartFilter;
  readonly #tail: Buffer[] = [];
  readonly #head: Buffer[] = [];

  constructor({ accessPid, pmt }: Program) {
    const audio = pmt.streams.filter((stream) => stream.pid !== accessPid && isAudio(stream)).map(({ pid }) => pid);
    this.#starts = new UnitStartFilter(audio, MAX_BYTES);
  }

  /** Everything from here on belongs to the new segment. */
  get done(): boolean {
    return this.#starts.done;
  }

  /** Packets for the end of the previous segment. */
  get tail(): Buffer {
    return Buffer.concat(this.#tail);
  }

  /** Packets for the start of the new segment. */
  get head(): Buffer {
    return Buffer.concat(this.#head);
  }

  /** Reads complete packets in `data[from, …)` until done. Returns the offset at which it stopped. */
  push(data: Buffer, from: number): number {
    let at = from;
    for (; at < data.length && !this.done; at += PACKET_SIZE) {
      const packets = this.#starts.passes(data, at, pidOf(data, at)) ? this.#head : this.#tail;
      packets.push(data.subarray(at, at + PACKET_SIZE));
    }
    return at;
  }
}
