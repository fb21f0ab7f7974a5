/** The clock offset with which one section of stream continues another without any clock running back. */
import type { ContinuitySnapshot } from './continuity-state.js';
import { NONE, PACKET_SIZE, pidOf } from './packet.js';
import { WRAP_90K, distance, readDts, readPcr, readPts, wrapped } from './timestamps.js';

/** The first timestamps of a section of stream, read from its packets. */
export class FirstTimestamps {
  /** The times of the first unit of each PID (ticks of 90 kHz). */
  readonly units = new Map<number, { readonly dts: number; readonly pts: number }>();
  /** The first PCR (27 MHz), or NONE. */
  pcr = NONE;

  /** `pids`: the PIDs to read; null: all. */
  constructor(private readonly pids: ReadonlySet<number> | null = null) {}

  /** Whether the first PCR and the first units of `count` PIDs have been read. */
  hasFound(count: number): boolean {
    return this.pcr !== NONE && this.units.size >= count;
  }

  /** Reads the whole packets in `bytes[from, …)`. */
  read(bytes: Buffer, from: number): void {
    for (let at = from; at < bytes.length; at += PACKET_SIZE) {
      if (this.pcr === NONE) this.pcr = readPcr(bytes, at);
      const dts = readDts(bytes, at);
      if (dts === NONE) continue;
      const pid = pidOf(bytes, at);
      if (this.units.has(pid) || this.pids?.has(pid) === false) continue;
      this.units.set(pid, { dts, pts: readPts(bytes, at) });
    }
  }
}

/**
 * The smallest offset (ticks of 90 kHz, 0 … 2^33) with which no clock runs back: every PID continues at least one unit after its last DTS and
 * its latest PTS, and the PCR after the last PCR. One offset for all PIDs, because separate ones would break lip sync. 0 if the two sections have
 * no clock in common.
 */
export function spliceOffset(last: ContinuitySnapshot, next: Pick<FirstTimestamps, 'units' | 'pcr'>): number {
  const offsets: number[] = [];
  for (const { pid, lastDts, latestPts, unit } of last.clocks) {
    const first = next.units.get(pid);
    if (first !== undefined) offsets.push(lastDts + unit - first.dts, latestPts + unit - first.pts);
  }
  if (last.pcr !== NONE && next.pcr !== NONE) offsets.push(Math.floor(last.pcr / 300) + 1 - Math.floor(next.pcr / 300));
  if (offsets.length === 0) return 0;
  const reference = offsets[0];
  const latest = offsets.reduce((most, offset) => Math.max(most, distance(reference, offset, WRAP_90K)), -WRAP_90K);
  return wrapped(reference + latest, WRAP_90K);
}
