import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PACKET_SIZE, PAT_PID, continuityCounter, pidOf, startsUnit } from './packet.js';
import { ProgramTracker } from './program-tracker.js';
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

  it('parses what it builds', () => {
    expect(parsePat(buildPat(pat))).toEqual(pat);
    expect(parsePmt(buildPmt(pmt))).toEqual(pmt);
  });

  it('rejects a section with one changed bit', () => {
    const bytes = buildPmt(pmt);
    bytes[13] ^= 1;
    expect(parsePmt(bytes)).toBeNull();
  });

  it('accepts any bytes, also with a valid CRC: no error, no endless loop', () => {
    const signed = (bytes: Uint8Array): Buffer => {
      const section = Buffer.concat([bytes, Buffer.alloc(4)]);
      section.writeUInt32BE(crc32(bytes), bytes.length);
      return section;
    };
    const lengthOf = (table: number, bytes: Uint8Array): Buffer => {
      const section = Buffer.concat([Buffer.of(table, 0xb0, 0), bytes]);
      section.writeUInt16BE(0xb000 | (bytes.length + 4), 1);
      return signed(section);
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1000 }), (bytes) => {
        for (const section of [bytes, signed(bytes), lengthOf(0, bytes), lengthOf(2, bytes)]) {
          for (const parsed of [parsePat(section), parsePmt(section)])
            if (parsed !== null) expect(parsed.programNumber).toBeLessThan(65_536);
        }
      }),
    );
  });

  it('accepts any packets without an error', () => {
    const pid = fc.constantFrom(PAT_PID, 0x1000, 0x100);
    const packets = fc.array(fc.record({ pid, start: fc.boolean(), bytes: fc.uint8Array({ minLength: 185, maxLength: 185 }) }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(packets, fc.boolean(), (script, known) => {
        const tracker = new ProgramTracker();
        if (known) tracker.push(packetizeSection(buildPat(pat)), 0, PAT_PID);
        for (const { pid, start, bytes } of script) {
          const packet = Buffer.concat([Buffer.of(0x47, (start ? 0x40 : 0) | (pid >> 8), pid & 0xff), bytes]);
          tracker.push(packet, 0, pid);
          tracker.resync();
        }
        expect(tracker.pmtPid).toBeLessThan(0x2000);
      }),
    );
  });

  it('splits a long section into packets with continuous counters', () => {
    const long = buildPmt({ ...pmt, streams: Array.from({ length: 60 }, (_, index) => ({ ...pmt.streams[1], pid: 0x200 + index })) });
    const packets = packetizeSection(long, 0x1000, 15);
    expect(packets.length).toBe(Math.ceil((long.length + 1) / 184) * PACKET_SIZE);
    expect([startsUnit(packets, 0), startsUnit(packets, PACKET_SIZE)]).toEqual([true, false]);
    expect([continuityCounter(packets, 0), continuityCounter(packets, PACKET_SIZE)]).toEqual([15, 0]);
    expect(pidOf(packetizeSection(buildPat(pat)), 0)).toBe(PAT_PID);
  });
});
