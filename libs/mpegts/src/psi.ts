/** PAT and PMT (ISO/IEC 13818-1, 2.4.4): parses whole sections and builds sections of a stream with one program. */
import { PACKET_SIZE, PAT_PID, SYNC_BYTE } from './packet.js';

export interface ProgramAssociation {
  /** Number of the first program (0 is the network information and is skipped). */
  programNumber: number;
  pmtPid: number;
  version: number;
  transportStreamId: number;
}

export interface ElementaryStream {
  pid: number;
  /** ISO/IEC 13818-1 table 2-34: 0x1b H.264, 0x24 HEVC, 0x02 MPEG-2 video, 0x0f AAC, … */
  streamType: number;
  descriptors: Uint8Array;
}

export interface ProgramMap {
  programNumber: number;
  version: number;
  pcrPid: number;
  descriptors: Uint8Array;
  streams: ElementaryStream[];
}

const crcTable = new Uint32Array(256);
for (let index = 0; index < 256; index += 1) {
  let crc = index << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  crcTable[index] = crc >>> 0;
}

/** CRC-32/MPEG-2 over `bytes`; 0 for an undamaged section that ends with its own CRC. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = ((crc << 8) ^ crcTable[((crc >>> 24) ^ byte) & 0xff]) >>> 0;
  return crc;
}

/** Parses a PAT section (from its table_id on, CRC included). Null if it is no PAT, damaged, not current or without a program. */
export function parsePat(section: Uint8Array): ProgramAssociation | null {
  if (section.length < 12 || section[0] !== 0x00 || (section[5] & 1) === 0 || crc32(section) !== 0) return null;
  for (let at = 8; at + 4 <= section.length - 4; at += 4) {
    const programNumber = (section[at] << 8) | section[at + 1];
    if (programNumber === 0) continue;
    return {
      programNumber,
      pmtPid: ((section[at + 2] & 0x1f) << 8) | section[at + 3],
      version: (section[5] >> 1) & 0x1f,
      transportStreamId: (section[3] << 8) | section[4],
    };
  }
  return null;
}

/** Parses a PMT section (from its table_id on, CRC included). Null if it is no PMT, damaged or not current. */
export function parsePmt(section: Uint8Array): ProgramMap | null {
  if (section.length < 16 || section[0] !== 0x02 || (section[5] & 1) === 0 || crc32(section) !== 0) return null;
  const end = section.length - 4;
  const programInfoLength = ((section[10] & 0x0f) << 8) | section[11];
  let at = 12 + programInfoLength;
  if (at > end) return null;
  const streams: ElementaryStream[] = [];
  while (at + 5 <= end) {
    const infoLength = ((section[at + 3] & 0x0f) << 8) | section[at + 4];
    if (at + 5 + infoLength > end) return null;
    streams.push({
      streamType: section[at],
      pid: ((section[at + 1] & 0x1f) << 8) | section[at + 2],
      descriptors: section.slice(at + 5, at + 5 + infoLength),
    });
    at += 5 + infoLength;
  }
  return {
    programNumber: (section[3] << 8) | section[4],
    version: (section[5] >> 1) & 0x1f,
    pcrPid: ((section[8] & 0x1f) << 8) | section[9],
    descriptors: section.slice(12, 12 + programInfoLength),
    streams,
  };
}

function section(tableId: number, id: number, version: number, body: Uint8Array): Uint8Array {
  const length = body.length + 9;
  const bytes = new Uint8Array(3 + length);
  bytes.set([tableId, 0xb0 | (length >> 8), length & 0xff, id >> 8, id & 0xff, 0xc1 | (version << 1), 0, 0]);
  bytes.set(body, 8);
  new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32(bytes.subarray(0, -4)));
  return bytes;
}

export function buildPat(pat: ProgramAssociation): Uint8Array {
  const { programNumber, pmtPid } = pat;
  return section(
    0x00,
    pat.transportStreamId,
    pat.version,
    Uint8Array.of(programNumber >> 8, programNumber & 0xff, 0xe0 | (pmtPid >> 8), pmtPid & 0xff),
  );
}

export function buildPmt(pmt: ProgramMap): Uint8Array {
  const body: number[] = [0xe0 | (pmt.pcrPid >> 8), pmt.pcrPid & 0xff, 0xf0 | (pmt.descriptors.length >> 8), pmt.descriptors.length & 0xff];
  body.push(...pmt.descriptors);
  for (const { streamType, pid, descriptors } of pmt.streams) {
    body.push(streamType, 0xe0 | (pid >> 8), pid & 0xff, 0xf0 | (descriptors.length >> 8), descriptors.length & 0xff, ...descriptors);
  }
  return section(0x02, pmt.programNumber, pmt.version, Uint8Array.from(body));
}

/** Puts a section into as many packets as it needs. The first one gets the counter `counter`; unused bytes are 0xff. */
export function packetizeSection(bytes: Uint8Array, pid: number = PAT_PID, counter = 0): Buffer {
  const first = PACKET_SIZE - 5;
  const rest = PACKET_SIZE - 4;
  const count = bytes.length <= first ? 1 : 1 + Math.ceil((bytes.length - first) / rest);
  const packets = Buffer.alloc(count * PACKET_SIZE, 0xff);
  let taken = 0;
  for (let index = 0; index < count; index += 1) {
    const at = index * PACKET_SIZE;
    packets.set([SYNC_BYTE, (index === 0 ? 0x40 : 0) | (pid >> 8), pid & 0xff, 0x10 | ((counter + index) & 0x0f)], at);
    let offset = at + 4;
    if (index === 0) packets[offset++] = 0; // pointer_field
    const size = Math.min(bytes.length - taken, at + PACKET_SIZE - offset);
    packets.set(bytes.subarray(taken, taken + size), offset);
    taken += size;
  }
  return packets;
}
