/** Where the clocks of a piece of stream begin, read from its packets. */
import { NONE, PACKET_SIZE, type FirstTimestamps, decodingTimeOf, pidOf, presentationTimeOf, readPcr } from '@acexy/mpegts';

export class FirstTimestampsReader {
  readonly #units = new Map<number, { dts: number; pts: number }>();
  #pcr = NONE;

  /** `wanted`: PIDs whose first unit is asked for; null: those of all PIDs. */
  constructor(private readonly wanted: ReadonlySet<number> | null) {}

  get start(): FirstTimestamps {
    return { units: this.#units, pcr: this.#pcr };
  }

  /** The first reference and `units` first units have been found. */
  hasFound(units: number): boolean {
    return this.#pcr !== NONE && this.#units.size >= units;
  }

  /** Reads whole packets. */
  read(bytes: Buffer, from: number): void {
    for (let at = from; at < bytes.length; at += PACKET_SIZE) {
      if (this.#pcr === NONE) this.#pcr = readPcr(bytes, at);
      const dts = decodingTimeOf(bytes, at);
      if (dts === NONE) continue;
      const pid = pidOf(bytes, at);
      if (this.#units.has(pid) || this.wanted?.has(pid) === false) continue;
      this.#units.set(pid, { dts, pts: presentationTimeOf(bytes, at) });
    }
  }
}
