/** Audio and text PES packets whose end is missing because the stream is cut and continues with another section. */
import { NULL_PID, PACKET_SIZE, hasPcr, payloadOffset, pidOf, setPid } from './packet.js';
import { pesOffset } from './timestamps.js';

/** Bytes of a PES packet before those that its length field counts (ISO/IEC 13818-1, 2.4.3.7). */
const UNCOUNTED_BYTES = 6;

/**
 * Turns the packets of every PES packet that starts but does not end in `bytes[0, length)` into null packets. Unchanged: PES packets without a
 * length, those on `exceptPid` (video: the cut is made at its end), and those that carry a PCR.
 */
export function blankUnfinishedPes(bytes: Buffer, length: number, exceptPid: number): void {
  for (const packets of unfinishedPes(bytes, length, exceptPid)) {
    if (packets.some((at) => hasPcr(bytes, at))) continue;
    for (const at of packets) setPid(bytes, at, NULL_PID);
  }
}

/** Length of the part of `bytes[0, length)` before the first PES packet that does not end there; `exceptPid` is ignored. */
export function lengthBeforeUnfinishedPes(bytes: Buffer, length: number, exceptPid: number): number {
  return Math.min(length, ...unfinishedPes(bytes, length, exceptPid).map(([first]) => first));
}

/** The offsets of the transport packets of each. */
function unfinishedPes(bytes: Buffer, length: number, exceptPid: number): number[][] {
  const open = new Map<number, { packets: number[]; missingBytes: number }>();
  for (let at = 0; at < length; at += PACKET_SIZE) {
    const pid = pidOf(bytes, at);
    const payload = payloadOffset(bytes, at);
    if (pid === NULL_PID || pid === exceptPid || payload < 0) continue;
    const start = pesOffset(bytes, at);
    if (start >= 0) {
      const counted = bytes.readUInt16BE(start + 4);
      open.delete(pid);
      if (counted > 0) open.set(pid, { packets: [], missingBytes: counted + UNCOUNTED_BYTES });
    }
    const pes = open.get(pid);
    if (pes === undefined) continue;
    pes.packets.push(at);
    pes.missingBytes -= at + PACKET_SIZE - payload;
    if (pes.missingBytes <= 0) open.delete(pid);
  }
  return [...open.values()].map(({ packets }) => packets);
}
