/**
 * Accessors for the 188-byte transport packet (ISO/IEC 13818-1, 2.4.3.2) in a shared buffer; `at` is the offset of the sync byte.
 * Nothing here allocates, because the hot path calls these functions for every packet.
 */

/** Bytes in a transport packet. */
export const PACKET_SIZE = 188;
export const SYNC_BYTE = 0x47;
export const PAT_PID = 0x0000;
export const NULL_PID = 0x1fff;
/** Ticks per second of PTS, DTS and the PCR base. */
export const CLOCK_90K = 90_000;
/** Ticks per second of the full PCR. */
export const CLOCK_27M = 27_000_000;
/** Returned where a packet has no such offset or timestamp. */
export const NONE = -1;

export function pidOf(buffer: Uint8Array, at: number): number {
  return ((buffer[at + 1] & 0x1f) << 8) | buffer[at + 2];
}

export function setPid(buffer: Uint8Array, at: number, pid: number): void {
  buffer[at + 1] = (buffer[at + 1] & 0xe0) | (pid >> 8);
  buffer[at + 2] = pid & 0xff;
}

/** The transport_error_indicator: the packet was already damaged when it was received upstream. */
export function hasTransportError(buffer: Uint8Array, at: number): boolean {
  return (buffer[at + 1] & 0x80) !== 0;
}

/** The payload_unit_start_indicator: a PES packet or a PSI section starts in this packet. */
export function startsUnit(buffer: Uint8Array, at: number): boolean {
  return (buffer[at + 1] & 0x40) !== 0;
}

export function hasPayload(buffer: Uint8Array, at: number): boolean {
  return (buffer[at + 3] & 0x10) !== 0;
}

export function hasAdaptationField(buffer: Uint8Array, at: number): boolean {
  return (buffer[at + 3] & 0x20) !== 0;
}

export function continuityCounter(buffer: Uint8Array, at: number): number {
  return buffer[at + 3] & 0x0f;
}

export function setContinuityCounter(buffer: Uint8Array, at: number, counter: number): void {
  buffer[at + 3] = (buffer[at + 3] & 0xf0) | (counter & 0x0f);
}

/** Offset of the first payload byte, or NONE if the packet has no payload or its adaptation field is too long. */
export function payloadOffset(buffer: Uint8Array, at: number): number {
  if (!hasPayload(buffer, at)) return NONE;
  const offset = hasAdaptationField(buffer, at) ? at + 5 + buffer[at + 4] : at + 4;
  return offset < at + PACKET_SIZE ? offset : NONE;
}

export function randomAccessIndicator(buffer: Uint8Array, at: number): boolean {
  return hasAdaptationField(buffer, at) && buffer[at + 4] > 0 && (buffer[at + 5] & 0x40) !== 0;
}

export function hasPcr(buffer: Uint8Array, at: number): boolean {
  return hasAdaptationField(buffer, at) && buffer[at + 4] >= 7 && (buffer[at + 5] & 0x10) !== 0;
}

/** A null packet (PID 0x1FFF), which every decoder ignores. Shared: never write into it. */
export const NULL_PACKET: Uint8Array = (() => {
  const packet = new Uint8Array(PACKET_SIZE).fill(0xff);
  packet.set([SYNC_BYTE, NULL_PID >> 8, NULL_PID & 0xff, 0x10]);
  return packet;
})();
