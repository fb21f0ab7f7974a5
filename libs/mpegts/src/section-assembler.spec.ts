import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PACKET_SIZE } from './packet.js';
import { buildPmt, packetizeSection, parsePmt } from './psi.js';
import { SectionAssembler } from './section-assembler.js';

const pmt = (streams: number) => ({
  programNumber: 1,
  version: 2,
  pcrPid: 0x100,
  descriptors: new Uint8Array(),
  streams: Array.from({ length: streams }, (_, index) => ({
    pid: 0x100 + index,
    streamType: 0x0f,
    descriptors: Uint8Array.of(0x52, 1, index),
  })),
});

function assemble(packets: Uint8Array): Uint8Array[] {
  const assembler = new SectionAssembler();
  const sections: Uint8Array[] = [];
  for (let at = 0; at < packets.length; at += PACKET_SIZE) assembler.push(packets, at, (section) => sections.push(section));
  return sections;
}

describe('sections', () => {
  it('of any length are assembled', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 0, max: 15 }), (streams, counter) => {
        const sections = assemble(packetizeSection(buildPmt(pmt(streams)), 0x1000, counter));
        expect(sections.map((section) => parsePmt(section))).toEqual([pmt(streams)]);
      }),
    );
  });

  it('in the same packet are both found', () => {
    const [one, two] = [buildPmt(pmt(1)), buildPmt(pmt(2))];
    expect(assemble(packetizeSection(Buffer.concat([one, two]), 0x1000)).map((section) => parsePmt(section)?.streams.length)).toEqual([
      1, 2,
    ]);
  });

  it('end at the pointer field, where the next one starts', () => {
    const [one, two] = [buildPmt(pmt(30)), buildPmt(pmt(1))];
    const first = packetizeSection(one, 0x1000, 0).subarray(0, PACKET_SIZE);
    const rest = one.subarray(PACKET_SIZE - 5);
    const second = Buffer.alloc(PACKET_SIZE, 0xff);
    second.set([0x47, 0x50, 0x00, 0x11, rest.length, ...rest, ...two]);
    expect(assemble(Buffer.concat([first, second])).map((section) => parsePmt(section)?.streams.length)).toEqual([30, 1]);
  });

  it('with a lost packet are dropped', () => {
    const packets = packetizeSection(buildPmt(pmt(80)), 0x1000, 3);
    const without = Buffer.concat([packets.subarray(0, PACKET_SIZE), packets.subarray(2 * PACKET_SIZE)]);
    expect(assemble(Buffer.concat([without, packetizeSection(buildPmt(pmt(1)), 0x1000, 9)])).map((section) => parsePmt(section))).toEqual([
      pmt(1),
    ]);
  });

  it('with a duplicate packet are read once', () => {
    const packets = packetizeSection(buildPmt(pmt(80)), 0x1000, 3);
    const twice = Buffer.concat([packets.subarray(0, PACKET_SIZE), packets]);
    expect(assemble(twice).map((section) => parsePmt(section))).toEqual([pmt(80)]);
  });

  it('are never longer than the input', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: PACKET_SIZE * 8, maxLength: PACKET_SIZE * 8 }), (bytes) => {
        for (let at = 0; at < bytes.length; at += PACKET_SIZE) bytes[at] = 0x47;
        for (const section of assemble(bytes)) expect(section.length).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
