import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENCODERS, TEST_PICTURE, ffmpegClip } from '../../../test/doubles/ffmpeg-clips.js';
import { PACKET_SIZE, pidOf, randomAccessIndicator, startsUnit } from './packet.js';
import { ProgramTracker } from './program-tracker.js';
import { RandomAccessDetector, type UnitVerdict, type VideoCodec } from './random-access.js';

const PID = 0x100;
const START = [0, 0, 1];

/** A unit as packets: a PES header, then `bytes`, `perPacket` of them in each packet after stuffing. */
function unit(bytes: readonly number[], { pts = true, perPacket = 170 } = {}): Buffer {
  const header = [0, 0, 1, 0xe0, 0, 0, 0x84, pts ? 0x80 : 0, pts ? 5 : 0, ...(pts ? [0x21, 0, 1, 0, 1] : [])];
  const all = [...header, ...bytes];
  const first = Math.max(perPacket, header.length);
  const packets: Buffer[] = [];
  for (let at = 0; at < all.length;) {
    const part = all.slice(at, at + (at === 0 ? first : perPacket));
    const packet = Buffer.alloc(PACKET_SIZE, 0xff);
    packet.set([0x47, (at === 0 ? 0x40 : 0) | (PID >> 8), PID & 0xff, 0x30, PACKET_SIZE - 5 - part.length, 0]);
    packet.set(part, PACKET_SIZE - part.length);
    packets.push(packet);
    at += part.length;
  }
  return Buffer.concat(packets);
}

function verdicts(detector: RandomAccessDetector, packets: Buffer): UnitVerdict[] {
  return Array.from({ length: packets.length / PACKET_SIZE }, (_, index) => detector.push(packets, index * PACKET_SIZE));
}

function verdict(codec: VideoCodec, bytes: readonly number[], options?: { pts?: boolean; perPacket?: number }): UnitVerdict | undefined {
  return verdicts(new RandomAccessDetector(codec), unit(bytes, options)).at(-1);
}

const h264 = {
  delimiter: [...START, 0x09, 0xf0],
  sps: [...START, 0x67, 0x64, 0x00, 0x1f],
  pps: [...START, 0x68, 0xee],
  idr: [...START, 0x65, 0x88, 0x84],
  slice: [...START, 0x41, 0x9a, 0x02, 0, 0, 0, 0, 0, 0],
  intra: [...START, 0x61, 0x88, 0x84, 0, 0x33, 0, 0, 3, 0, 1],
  recovery: (first: number) => [...START, 0x06, 5, 3, 0, 0, 3, 1, 6, 1, first, 0x80], // user data with an emulation prevention byte before it
};

const hevc = {
  sps: [...START, 0x42, 1, 1],
  /** `bits`: two ids of 0, two flags, num_extra_slice_header_bits. */
  pps: (bits: number) => [...START, 0x44, 1, bits, 0x80],
  get sets() {
    return [...this.sps, ...this.pps(0xc0)];
  },
};

describe('a random-access point', () => {
  it.each<[VideoCodec, string, number[], UnitVerdict]>([
    ['h264', 'an IDR slice', [...h264.delimiter, ...h264.sps, ...h264.pps, ...h264.idr], 'clean'],
    ['h264', 'a plain slice', [...h264.delimiter, ...h264.slice], 'none'],
    ['h264', 'a plain slice after parameter sets', [...h264.delimiter, ...h264.sps, ...h264.pps, ...h264.slice], 'none'],
    ['h264', 'an I slice after SPS and PPS', [...h264.delimiter, ...h264.sps, ...h264.pps, ...h264.intra], 'intra'],
    [
      'h264',
      'an I slice that is not the first of its picture',
      [...h264.sps, ...h264.pps, ...START, 0x61, 0x51, ...Array<number>(8).fill(0x33)],
      'none',
    ],
    ['h264', 'an I slice without PPS', [...h264.delimiter, ...h264.sps, ...h264.intra], 'none'],
    ['h264', 'an I slice without parameter sets', [...h264.delimiter, ...h264.intra], 'none'],
    ['h264', 'a slice that ends in its header', [...h264.sps, ...h264.pps, ...START, 0x61, ...h264.delimiter], 'none'],
    ['h264', 'a recovery point at once', [...h264.delimiter, ...h264.sps, ...h264.recovery(0xc0), ...h264.slice], 'clean'],
    ['h264', 'a recovery point after some frames', [...h264.delimiter, ...h264.sps, ...h264.recovery(0x50), ...h264.slice], 'gradual'],
    ['h264', 'a recovery point without parameter sets', [...h264.delimiter, ...h264.recovery(0xc0), ...h264.slice], 'none'],
    ['hevc', 'an IDR', [...START, 0x46, 1, 0x50, ...START, 0x40, 1, ...START, 0x26, 1], 'clean'],
    ['hevc', 'a CRA', [...START, 0x46, 1, 0x50, ...START, 0x2a, 1], 'clean'],
    ['hevc', 'an I slice after its parameter sets', [...hevc.sets, ...START, 0x02, 1, 0xd8, 0, 0, 0, 0, 0, 0, 0], 'intra'],
    [
      'hevc',
      'an I slice after a PPS with two extra bits',
      [...hevc.sps, ...hevc.pps(0xc4), ...START, 0x02, 1, 0xf6, 0, 0, 0, 0, 0, 0, 0],
      'intra',
    ],
    ['hevc', 'a P slice after its parameter sets', [...hevc.sets, ...START, 0x02, 1, 0xd0, 0, 0, 0, 0, 0, 0, 0], 'none'],
    ['hevc', 'a later slice segment', [...hevc.sets, ...START, 0x02, 1, 0x58, 0, 0, 0, 0, 0, 0, 0], 'none'],
    ['hevc', 'a recovery point', [...hevc.sets, ...START, 0x4e, 1, 6, 1, 0xd0, 0x80, ...START, 0x02, 1, 0xd0], 'clean'],
    ['hevc', 'a recovery point after some frames', [...hevc.sets, ...START, 0x4e, 1, 6, 1, 0x50, 0x80, ...START, 0x02, 1, 0xd0], 'gradual'],
    ['hevc', 'a trailing picture', [...START, 0x46, 1, 0x50, ...START, 0x02, 1], 'none'],
    ['mpeg2', 'a sequence header and an I picture', [...START, 0xb3, 0x14, 0, 0xf0, ...START, 0x00, 0x00, 0x0f], 'clean'],
    ['mpeg2', 'a sequence header and a P picture', [...START, 0xb3, 0x14, 0, 0xf0, ...START, 0x00, 0x00, 0x17], 'gradual'],
    ['mpeg2', 'a picture', [...START, 0x00, 0x00, 0x8f], 'none'],
    ['mpeg2', 'a group without a sequence header', [...START, 0xb8, 0, 8, 0, ...START, 0x00, 0], 'none'],
  ])('%s: %s', (codec, _name, bytes, expected) => {
    expect(verdict(codec, bytes)).toBe(expected);
  });

  it('is found if its start codes straddle packets', () => {
    const unitBytes = [...h264.delimiter, ...h264.sps, ...h264.recovery(0xc0), ...h264.slice];
    for (let perPacket = 1; perPacket <= 60; perPacket += 1)
      expect([perPacket, verdict('h264', unitBytes, { perPacket })]).toEqual([perPacket, 'clean']);
  });

  it('is pending until its first slice, then final for the rest of the unit', () => {
    const long = [
      ...h264.delimiter,
      ...h264.sps,
      ...START,
      6,
      5,
      255,
      120,
      ...Array<number>(375).fill(0x33),
      0x80,
      ...h264.idr,
      ...START,
      0x41,
    ];
    const seen = verdicts(new RandomAccessDetector('h264'), unit(long));
    expect(seen).toEqual(['pending', 'pending', 'clean']);
  });

  it('is no PES packet without a time, or without a delimiter in a stream that has them', () => {
    expect(verdict('h264', h264.idr, { pts: false })).toBe('none');
    const detector = new RandomAccessDetector('h264');
    expect(verdicts(detector, unit([...h264.delimiter, ...h264.idr]))).toEqual(['clean']);
    expect(verdicts(detector, unit(h264.idr))).toEqual(['none']);
  });

  it('is not searched beyond 64 kB', () => {
    expect(verdict('h264', [...h264.delimiter, ...Array<number>(70_000).fill(0x33), ...h264.idr])).toBe('none');
  });

  it('accepts any bytes without an error', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<VideoCodec>('h264', 'hevc', 'mpeg2'),
        fc.uint8Array({ minLength: 188 * 6, maxLength: 188 * 6 }),
        (codec, bytes) => {
          for (let at = 0; at < bytes.length; at += PACKET_SIZE) bytes[at] = 0x47;
          for (const seen of verdicts(new RandomAccessDetector(codec), Buffer.from(bytes))) {
            expect(['clean', 'gradual', 'intra', 'pending', 'none']).toContain(seen);
          }
        },
      ),
    );
  });
});

const made = (encoder: string, options: readonly string[]): Buffer => ffmpegClip([...TEST_PICTURE, '-t', '6', '-c:v', encoder, ...options]);

/** Packets at which a random-access point starts: found by us, and marked by the multiplexer. */
function entryPoints(stream: Buffer): { found: number[]; marked: number[] } {
  const tables = new ProgramTracker();
  let detector: RandomAccessDetector | null = null;
  let pending: number | null = null;
  const found: number[] = [];
  const marked: number[] = [];
  for (let at = 0; at < stream.length; at += PACKET_SIZE) {
    const pid = pidOf(stream, at);
    tables.push(stream, at, pid);
    const program = tables.program;
    if (program === null || program.videoCodec === null || pid !== program.accessPid) continue;
    detector ??= new RandomAccessDetector(program.videoCodec);
    if (startsUnit(stream, at)) pending = at;
    if (startsUnit(stream, at) && randomAccessIndicator(stream, at)) marked.push(at);
    const seen = detector.push(stream, at);
    if (seen === 'pending' || pending === null) continue;
    if (seen !== 'none') found.push(pending);
    pending = null;
  }
  return { found, marked };
}

describe('agreement with the multiplexer', () => {
  const streams: [string, string[]][] = [
    ['libx264', ['-g', '25', '-bf', '0', '-preset', 'ultrafast']],
    ['libx264', ['-g', '30', '-bf', '2', '-preset', 'veryfast', '-x264-params', 'open-gop=1']],
    ['libx265', ['-g', '25', '-preset', 'ultrafast', '-x265-params', 'log-level=none:open-gop=1:bframes=3']],
    ['mpeg2video', ['-g', '12', '-bf', '2']],
  ];
  for (const [encoder, options] of streams) {
    it.skipIf(!ENCODERS.includes(encoder))(
      `${encoder} ${options.join(' ')}: the points found are those that ffmpeg marks (needs ffmpeg)`,
      () => {
        const { found, marked } = entryPoints(made(encoder, options));
        expect(found.length).toBeGreaterThanOrEqual(5);
        expect(found).toEqual(marked);
      },
    );
  }
});
