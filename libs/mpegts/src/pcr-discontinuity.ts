/** Finds where the clock of a source leaps: after a restart of the broadcaster, over lost data, or because the source goes back to what it has sent. */
import { CLOCK_27M, NONE, PACKET_SIZE, WRAP_27M, distance, pidOf, readPcr } from '@acexy/mpegts';

/** A smaller step back is jitter of a bad multiplexer (27 MHz). */
const MAX_BACK = CLOCK_27M / 2;
/** A smaller step on is a reference or two that got lost. */
const MAX_ON = CLOCK_27M;
/** Whatever came between, a step of this much is no stream going on. */
const MAX_STEP = 10 * CLOCK_27M;

export class PcrDiscontinuityDetector {
  #lastPcr = NONE;
  #bytesSince = 0;

  /**
   * Looks through the whole packets in `buffer[from, to)` and returns where the first one after a leap lies, or NONE. The packets before it, or all,
   * count as seen; so does that one. `bitrate` in bits per second tells lost data from a clock that comes seldom; null while it is not known.
   */
  find(buffer: Buffer, from: number, to: number, clockPid: number, bitrate: number | null): number {
    for (let at = from; at < to; at += PACKET_SIZE) {
      this.#bytesSince += PACKET_SIZE;
      if ((buffer[at + 3] & 0x20) === 0 || pidOf(buffer, at) !== clockPid) continue;
      const pcr = readPcr(buffer, at);
      if (pcr === NONE) continue;
      const last = this.#lastPcr;
      const bytes = this.#bytesSince;
      this.#lastPcr = pcr;
      this.#bytesSince = 0;
      if (last !== NONE && isLeap(distance(last, pcr, WRAP_27M), bytes, bitrate)) return at;
    }
    return NONE;
  }
}

function isLeap(step: number, bytes: number, bitrate: number | null): boolean {
  if (step < -MAX_BACK || step > MAX_STEP) return true;
  if (step <= MAX_ON || bitrate === null) return false;
  const bytesDue = ((step / CLOCK_27M) * bitrate) / 8;
  return bytes < bytesDue / 2;
}
