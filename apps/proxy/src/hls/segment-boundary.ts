/** The first packets after a cut: audio units that started before it are moved to the previous segment, so that each unit is complete in one segment. */
import { PACKET_SIZE, type Program, hasPayload, isSound, pidOf, startsUnit } from '@acexy/mpegts';

/** An audio unit that has not ended after this many bytes is split. */
const MAX_BYTES = 512 * 1024;

export class SegmentBoundary {
  readonly #waiting: Set<number>;
  readonly #tail: Buffer[] = [];
  readonly #head: Buffer[] = [];
  #bytes = 0;

  constructor(program: Program) {
    const sound = program.pmt.streams.filter((stream) => stream.pid !== program.accessPid && isSound(stream));
    this.#waiting = new Set(sound.map(({ pid }) => pid));
  }

  /** Everything from here on belongs to the new segment. */
  get done(): boolean {
    return this.#waiting.size === 0 || this.#bytes >= MAX_BYTES;
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
      const packet = data.subarray(at, at + PACKET_SIZE);
      (this.#belongsToHead(data, at) ? this.#head : this.#tail).push(packet);
      this.#bytes += PACKET_SIZE;
    }
    return at;
  }

  #belongsToHead(data: Buffer, at: number): boolean {
    const pid = pidOf(data, at);
    if (!this.#waiting.has(pid) || !hasPayload(data, at)) return true;
    if (!startsUnit(data, at)) return false;
    this.#waiting.delete(pid);
    return true;
  }
}
