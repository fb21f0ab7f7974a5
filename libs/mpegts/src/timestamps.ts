/**
 * Reads and writes PCR, PTS and DTS in place. PTS and DTS count 33 bits at 90 kHz, the PCR 33 bits × 300 at 27 MHz (less than 2^42);
 * a double holds both exactly. Arithmetic is modulo the wrap, which happens every 26.5 hours.
 */
import { NONE, PACKET_SIZE, hasPcr, payloadOffset, startsUnit } from './packet.js';

/** PTS, DTS and the PCR base wrap at this value (ticks of 90 kHz). */
export const WRAP_90K = 2 ** 33;
/** The full PCR wraps at this value (ticks of 27 MHz). */
export const WRAP_27M = WRAP_90K * 300;

/** `value` modulo `wrap`, never negative. */
export function wrapped(value: number, wrap: number): number {
  const rest = value % wrap;
  return rest < 0 ? rest + wrap : rest;
}

/** The signed distance from `from` to `to`, over the wrap if that is shorter; positive if `to` is later. */
export function distance(from: number, to: number, wrap: number): number {
  const ahead = wrapped(to - from, wrap);
  return ahead >= wrap / 2 ? ahead - wrap : ahead;
}

/** The PCR in ticks of 27 MHz, or NONE. */
export function readPcr(buffer: Uint8Array, at: number): number {
  if (!hasPcr(buffer, at)) return NONE;
  const base = buffer[at + 6] * 2 ** 25 + ((buffer[at + 7] << 17) | (buffer[at + 8] << 9) | (buffer[at + 9] << 1) | (buffer[at + 10] >> 7));
  return base * 300 + (((buffer[at + 10] & 1) << 8) | buffer[at + 11]);
}

/** Overwrites the PCR of a packet that has one. `pcr` in ticks of 27 MHz, already wrapped. */
export function writePcr(buffer: Uint8Array, at: number, pcr: number): void {
  const base = Math.floor(pcr / 300);
  const extension = pcr % 300;
  const low = base % 2 ** 25;
  buffer[at + 6] = Math.floor(base / 2 ** 25);
  buffer[at + 7] = low >> 17;
  buffer[at + 8] = (low >> 9) & 0xff;
  buffer[at + 9] = (low >> 1) & 0xff;
  buffer[at + 10] = ((low & 1) << 7) | 0x7e | (extension >> 8);
  buffer[at + 11] = extension & 0xff;
}

/** Offset of the PES start code (00 00 01) if a PES packet starts in this transport packet, else NONE. */
export function pesOffset(buffer: Uint8Array, at: number): number {
  if (!startsUnit(buffer, at)) return NONE;
  const offset = payloadOffset(buffer, at);
  if (offset < 0 || offset + 9 > at + PACKET_SIZE) return NONE;
  return buffer[offset] === 0 && buffer[offset + 1] === 0 && buffer[offset + 2] === 1 ? offset : NONE;
}

/** PES packets of some stream ids have no optional header, so no timestamps (ISO/IEC 13818-1, table 2-21). */
function hasOptionalHeader(streamId: number): boolean {
  switch (streamId) {
    case 0xbc: // program_stream_map
    case 0xbe: // padding
    case 0xbf: // private_stream_2
    case 0xf0: // ECM
    case 0xf1: // EMM
    case 0xf2: // DSMCC
    case 0xf8: // H.222.1 type E
    case 0xff: // program_stream_directory
      return false;
    default:
      return true;
  }
}

/** Offset of the five PTS bytes of a PES packet at `pes`, or NONE; `end` is the end of the transport packet. */
export function ptsOffset(buffer: Uint8Array, pes: number, end: number): number {
  if (!hasOptionalHeader(buffer[pes + 3]) || (buffer[pes + 7] & 0x80) === 0 || buffer[pes + 8] < 5) return NONE;
  return pes + 14 <= end ? pes + 9 : NONE;
}

/** Offset of the five DTS bytes of a PES packet at `pes`, or NONE if the DTS equals the PTS. */
export function dtsOffset(buffer: Uint8Array, pes: number, end: number): number {
  if (!hasOptionalHeader(buffer[pes + 3]) || (buffer[pes + 7] & 0xc0) !== 0xc0 || buffer[pes + 8] < 10) return NONE;
  return pes + 19 <= end ? pes + 14 : NONE;
}

/** The 33-bit timestamp in the five bytes at `offset`. */
export function readTimestamp(buffer: Uint8Array, offset: number): number {
  const high = (buffer[offset] >> 1) & 0x07;
  const low = (buffer[offset + 1] << 22) | ((buffer[offset + 2] >> 1) << 15) | (buffer[offset + 3] << 7) | (buffer[offset + 4] >> 1);
  return high * 2 ** 30 + low;
}

/** Writes a timestamp (already wrapped) into the five bytes at `offset`; keeps the prefix and marker bits. */
export function writeTimestamp(buffer: Uint8Array, offset: number, timestamp: number): void {
  const high = Math.floor(timestamp / 2 ** 30);
  const low = timestamp % 2 ** 30;
  buffer[offset] = (buffer[offset] & 0xf0) | (high << 1) | 1;
  buffer[offset + 1] = low >> 22;
  buffer[offset + 2] = ((low >> 14) & 0xfe) | 1;
  buffer[offset + 3] = (low >> 7) & 0xff;
  buffer[offset + 4] = ((low << 1) & 0xfe) | 1;
}

/** The PTS of the PES packet that starts in this transport packet, or NONE. */
export function readPts(buffer: Uint8Array, at: number): number {
  const pes = pesOffset(buffer, at);
  const offset = pes === NONE ? NONE : ptsOffset(buffer, pes, at + PACKET_SIZE);
  return offset === NONE ? NONE : readTimestamp(buffer, offset);
}

/** The DTS (or the PTS, if it has no DTS) of the PES packet that starts in this transport packet, or NONE. */
export function readDts(buffer: Uint8Array, at: number): number {
  const pes = pesOffset(buffer, at);
  if (pes === NONE) return NONE;
  const offset = dtsOffset(buffer, pes, at + PACKET_SIZE);
  return offset === NONE ? readPts(buffer, at) : readTimestamp(buffer, offset);
}

/** Adds `offset` (ticks of 90 kHz) to the PCR, PTS and DTS in the packet at `at`. */
export function shiftTimestamps(buffer: Uint8Array, at: number, offset: number): void {
  const pcr = readPcr(buffer, at);
  if (pcr !== NONE) writePcr(buffer, at, wrapped(pcr + offset * 300, WRAP_27M));
  const pes = pesOffset(buffer, at);
  if (pes === NONE) return;
  const end = at + PACKET_SIZE;
  shiftTimestamp(buffer, ptsOffset(buffer, pes, end), offset);
  shiftTimestamp(buffer, dtsOffset(buffer, pes, end), offset);
}

function shiftTimestamp(buffer: Uint8Array, at: number, offset: number): void {
  if (at !== NONE) writeTimestamp(buffer, at, wrapped(readTimestamp(buffer, at) + offset, WRAP_90K));
}
