/** The first moments behind a cut: sound that began before it goes back to the segment before, so that every unit lies whole in one segment. */
import { PACKET_SIZE, type Program, hasPayload, isSound, pidOf, startsUnit } from '@acexy/mpegts';

/** Sound that does not begin anew within so many bytes is cut through. */
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

  /** All that comes belongs to the new segment. */
  get done(): boolean {
    return this.#waiting.size === 0 || this.#bytes >= MAX_BYTES;
  }

  /** What goes to the end of the segment before. */
  get tail(): Buffer {
    return Buffer.concat(this.#tail);
  }

  /** What the new segment begins with. */
  get head(): Buffer {
    return Buffer.concat(this.#head);
  }

  /** Reads the whole packets in `data[from, …)` until done, and returns where it stopped. */
  take(data: Buffer, from: number): number {
    let at = from;
    for (; at < data.length && !this.done; at += PACKET_SIZE) {
      const packet = data.subarray(at, at + PACKET_SIZE);
      (this.#passes(data, at) ? this.#head : this.#tail).push(packet);
      this.#bytes += PACKET_SIZE;
    }
    return at;
  }

  #passes(data: Buffer, at: number): boolean {
    const pid = pidOf(data, at);
    if (!this.#waiting.has(pid) || !hasPayload(data, at)) return true;
    if (!startsUnit(data, at)) return false;
    this.#waiting.delete(pid);
    return true;
  }
}
