/** Sound and text whose end will never come, where a stream is cut and another piece follows. */
import { NULL_PID, PACKET_SIZE, hasPcr, payloadOffset, pesOffset, pidOf, setPid } from '@acexy/mpegts';

/** Bytes of a PES packet before the ones that its length counts (ISO/IEC 13818-1, 2.4.3.7). */
const UNCOUNTED_BYTES = 6;

interface Unit {
  readonly packets: number[];
  /** Payload bytes that have yet to come. */
  missing: number;
}

/**
 * Turns the packets of every PES that begins in `bytes[0, length)` and does not end there into null packets, so that nobody is left with half of one. Units
 * without a length, those on `exceptPid` (the picture, whose end is where the cut is made), and what carries a clock reference stay as they are.
 */
export function blankUnfinishedUnits(bytes: Buffer, length: number, exceptPid: number): void {
  for (const packets of unfinishedUnits(bytes, length, exceptPid)) {
    if (packets.some((at) => hasPcr(bytes, at))) continue;
    for (const at of packets) setPid(bytes, at, NULL_PID);
  }
}

/** How much of `bytes[0, length)` lies before all that begins there and does not end there, `exceptPid` aside. */
export function lengthOfWholeUnits(bytes: Buffer, length: number, exceptPid: number): number {
  return Math.min(length, ...unfinishedUnits(bytes, length, exceptPid).map(([first]) => first));
}

/** The offsets of the packets of each. */
function unfinishedUnits(bytes: Buffer, length: number, exceptPid: number): number[][] {
  const open = new Map<number, Unit>();
  for (let at = 0; at < length; at += PACKET_SIZE) {
    const pid = pidOf(bytes, at);
    const payload = payloadOffset(bytes, at);
    if (pid === NULL_PID || pid === exceptPid || payload < 0) continue;
    const start = pesOffset(bytes, at);
    if (start >= 0) {
      const counted = bytes.readUInt16BE(start + 4);
      open.delete(pid);
      if (counted > 0) open.set(pid, { packets: [], missing: counted + UNCOUNTED_BYTES });
    }
    const unit = open.get(pid);
    if (unit === undefined) continue;
    unit.packets.push(at);
    unit.missing -= at + PACKET_SIZE - payload;
    if (unit.missing <= 0) open.delete(pid);
  }
  return [...open.values()].map(({ packets }) => packets);
}
