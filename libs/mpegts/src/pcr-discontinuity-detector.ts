/** Detects where the PCR of a source jumps: the broadcaster restarted, data was lost, or the source repeats what it has sent. */
import { CLOCK_27M, NONE, PACKET_SIZE, pidOf } from './packet.js';
import { WRAP_27M, distance, readPcr } from './timestamps.js';

/** A smaller step back is jitter of a bad multiplexer (27 MHz). */
const MAX_BACK = CLOCK_27M / 2;
/** A smaller step forward means that one or two PCRs were lost. */
const MAX_FORWARD = CLOCK_27M;
/** A larger step is a discontinuity, however many bytes came in between. */
const MAX_STEP = 10 * CLOCK_27M;

export class PcrDiscontinuityDetector {
  #lastPcr = NONE;
  #bytesSince = 0;

  /**
   * Searches the whole packets in `buffer[from, to)` and returns the offset of the first one after a discontinuity, or NONE. The search goes on
   * from there with the next call. `bitrate` (bits per second, null if unknown) distinguishes lost data from rare PCRs.
   */
  find(buffer: Buffer, from: number, to: number, pcrPid: number, bitrate: number | null): number {
    for (let at = from; at < to; at += PACKET_SIZE) {
      this.#bytesSince += PACKET_SIZE;
      if ((buffer[at + 3] & 0x20) === 0 || pidOf(buffer, at) !== pcrPid) continue;
      const pcr = readPcr(buffer, at);
      if (pcr === NONE) continue;
      const last = this.#lastPcr;
      const bytes = this.#bytesSince;
      this.#lastPcr = pcr;
      this.#bytesSince = 0;
      if (last !== NONE && isDiscontinuity(distance(last, pcr, WRAP_27M), bytes, bitrate)) return at;
    }
    return NONE;
  }
}

function isDiscontinuity(step: number, bytes: number, bitrate: number | null): boolean {
  if (step < -MAX_BACK || step > MAX_STEP) return true;
  if (step <= MAX_FORWARD || bitrate === null) return false;
  const bytesExpected = ((step / CLOCK_27M) * bitrate) / 8;
  return bytes < bytesExpected / 2;
}
