/** Reads the bits of a parameter set or a slice header in order. Past the end it reads zeros, and {@link complete} is false. */
export class BitReader {
  #at = 0;

  constructor(private readonly bytes: ArrayLike<number>) {}

  /** Everything read so far was there. */
  get complete(): boolean {
    return this.#at <= this.bytes.length * 8;
  }

  /** At most 31 bits, the most significant first. */
  bits(count: number): number {
    let value = 0;
    for (let left = count; left > 0; left -= 1) {
      value = (value << 1) | (((this.bytes[this.#at >> 3] ?? 0) >> (7 - (this.#at & 7))) & 1);
      this.#at += 1;
    }
    return value;
  }

  /** An Exp-Golomb code, ue(v): Rec. ITU-T H.264, 9.1. */
  exponential(): number {
    let zeros = 0;
    while (this.complete && zeros < 30 && this.bits(1) === 0) zeros += 1;
    return 2 ** zeros - 1 + this.bits(zeros);
  }
}
