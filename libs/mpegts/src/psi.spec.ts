import { describe, expect, it } from 'vitest';
import { PACKET_SIZE, PAT_PID, continuityCounter, pidOf, startsUnit } from './packet.js';
import { buildPat, buildPmt, crc32, packetizeSection, parsePat, parsePmt } from './psi.js';

const pat = { programNumber: 1, pmtPid: 0x1000, version: 3, transportStreamId: 7 };
const pmt = {
  programNumber: 1,
  version: 5,
  pcrPid: 0x100,
  descriptors: new Uint8Array(),
  streams: [
    { pid: 0x100, streamType: 0x1b, descriptors: new Uint8Array() },
    { pid: 0x101, streamType: 0x0f, descriptors: Uint8Array.of(0x0a, 4, 0x65, 0x6e, 0x67, 0) },
  ],
};

describe('PAT and PMT', () => {
  it('computes the CRC of the standard check string', () => {
    expect(crc32(Buffer.from('123456789'))).toBe(0x0376e6e7); // CRC-32/MPEG-2 check value, reveng catalogue
  });

  it('reads back what it builds', () => {
    expect(parsePat(buildPat(pat))).toEqual(pat);
    expect(parsePmt(buildPmt(pmt))).toEqual(pmt);
  });

  it('refuses a section with one bit changed', () => {
    const bytes = buildPmt(pmt);
    bytes[13] ^= 1;
    expect(parsePmt(bytes)).toBeNull();
  });

  it('packetizes a long section with running counters', () => {
    const long = buildPmt({ ...pmt, streams: Array.from({ length: 60 }, (_, index) => ({ ...pmt.streams[1], pid: 0x200 + index })) });
    const packets = packetizeSection(long, 0x1000, 15);
    expect(packets.length).toBe(Math.ceil((long.length + 1) / 184) * PACKET_SIZE);
    expect([startsUnit(packets, 0), startsUnit(packets, PACKET_SIZE)]).toEqual([true, false]);
    expect([continuityCounter(packets, 0), continuityCounter(packets, PACKET_SIZE)]).toEqual([15, 0]);
    expect(pidOf(packetizeSection(buildPat(pat)), 0)).toBe(PAT_PID);
  });
});
