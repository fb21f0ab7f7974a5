import { describe, expect, it } from 'vitest';
import { NULL_PID } from './packet.js';
import { mapProgram } from './program-mapping.js';
import type { Program } from './program-tracker.js';
import { buildPat, buildPmt, parsePmt } from './psi.js';

interface Shape {
  number?: number;
  pmtPid?: number;
  version?: number;
  pcrPid?: number;
  /** [PID, stream type, descriptor bytes] */
  streams: [number, number, number[]?][];
}

function program({ number = 1, pmtPid = 0x1000, version = 3, pcrPid, streams }: Shape): Program {
  const pat = { programNumber: number, pmtPid, version: 0, transportStreamId: 1 };
  const pmt = {
    programNumber: number,
    version,
    pcrPid: pcrPid ?? streams[0][0],
    descriptors: new Uint8Array(),
    streams: streams.map(([pid, streamType, descriptors]) => ({ pid, streamType, descriptors: Uint8Array.from(descriptors ?? []) })),
  };
  const [accessPid] = streams[0];
  return { pat, pmt, patSection: buildPat(pat), pmtSection: buildPmt(pmt), accessPid, videoCodec: 'h264' };
}

const known = program({
  streams: [
    [0x100, 0x1b],
    [0x101, 0x0f],
  ],
});

function mapped(source: Program, outgoing = known) {
  const mapping = mapProgram(outgoing, source);
  if (mapping.kind !== 'mapped') throw new Error('refused');
  return { pids: [...mapping.pids], pmt: parsePmt(mapping.pmtSection), section: mapping.pmtSection };
}

describe('the program of another source', () => {
  it('with the same PIDs keeps them and the table', () => {
    const { pids, section } = mapped(program({ version: 9, streams: known.pmt.streams.map(({ pid, streamType }) => [pid, streamType]) }));
    expect([pids, section]).toEqual([[[0x1000, NULL_PID]], known.pmtSection]);
  });

  it('with other PIDs gets the known ones, and an unchanged table gets no new version', () => {
    const source = program({
      number: 7,
      pmtPid: 0x20,
      streams: [
        [0x31, 0x0f],
        [0x30, 0x1b],
      ],
      pcrPid: 0x30,
    });
    const { pids, section } = mapped(source);
    expect(new Map(pids).get(0x30)).toBe(0x100);
    expect(new Map(pids).get(0x31)).toBe(0x101);
    expect(section).toEqual(known.pmtSection);
  });

  it('with swapped PIDs is mapped to the right ones', () => {
    const source = program({
      streams: [
        [0x101, 0x1b],
        [0x100, 0x0f],
      ],
    });
    expect(new Map(mapped(source).pids)).toEqual(
      new Map([
        [0x101, 0x100],
        [0x100, 0x101],
        [0x1000, NULL_PID],
      ]),
    );
  });

  it('with other descriptors or fewer streams gets the next version', () => {
    const three = program({
      version: 31,
      streams: [
        [0x100, 0x1b],
        [0x101, 0x0f],
        [0x102, 0x06],
      ],
    });
    const { pmt } = mapped(
      program({
        streams: [
          [0x200, 0x1b],
          [0x201, 0x0f, [0x0a, 4, 100, 101, 117, 0]],
        ],
      }),
      three,
    );
    expect([pmt?.version, pmt?.programNumber, pmt?.pcrPid]).toEqual([0, 1, 0x100]);
    expect(pmt?.streams.map(({ pid, streamType, descriptors }) => [pid, streamType, descriptors.length])).toEqual([
      [0x100, 0x1b, 0],
      [0x101, 0x0f, 6],
    ]);
  });

  it('loses streams that viewers do not have, and streams on a PID that they know', () => {
    const { pids } = mapped(
      program({
        streams: [
          [0x200, 0x1b],
          [0x201, 0x0f],
          [0x101, 0x06],
        ],
      }),
    );
    expect(new Map(pids).get(0x101)).toBe(NULL_PID);
    expect(new Map(pids).get(0x100)).toBe(NULL_PID);
  });

  it('keeps a PCR on a separate PID', () => {
    const source = (pcrPid: number) =>
      program({
        pcrPid,
        streams: [
          [0x200, 0x1b],
          [0x201, 0x0f],
        ],
      });
    expect(mapped(source(0x1ff)).pmt?.pcrPid).toBe(0x1ff);
    const taken = mapped(source(0x101)); // the PID of the known audio
    expect(taken.pmt?.pcrPid).toBe(new Map(taken.pids).get(0x101));
    expect(taken.pmt?.pcrPid).toBe(0x102);
  });

  it.each([
    ['video', 0x24, 0x0f, 0x1b],
    ['audio', 0x1b, 0x03, 0x0f],
  ])('with another codec for the %s is refused', (_, video, audio, promised) => {
    const source = program({
      streams: [
        [0x100, video],
        [0x101, audio],
      ],
    });
    expect(mapProgram(known, source)).toEqual({ kind: 'codec-changed', promised, offered: [video, audio] });
  });

  it('is paired by the format of private data, and by language before order', () => {
    const eng = [0x0a, 4, 101, 110, 103, 0];
    const spa = [0x0a, 4, 115, 112, 97, 0];
    const outgoing = program({
      streams: [
        [0x100, 0x1b],
        [0x101, 0x0f, eng],
        [0x102, 0x0f, spa],
        [0x103, 0x06, [0x6a, 1, 0]],
      ],
    });
    const source = program({
      streams: [
        [0x200, 0x1b],
        [0x201, 0x0f, spa],
        [0x202, 0x0f, eng],
        [0x203, 0x06, [0x56, 0]],
        [0x204, 0x06, [0x6a, 1, 0]],
      ],
    });
    const pids = new Map(mapped(source, outgoing).pids);
    expect([0x201, 0x202, 0x203, 0x204].map((pid) => pids.get(pid))).toEqual([0x102, 0x101, NULL_PID, 0x103]);
  });
});
