import { describe, expect, it } from 'vitest';
import { NULL_PID, PACKET_SIZE, pidOf } from './packet.js';
import { blankUnfinishedPes, lengthBeforeUnfinishedPes } from './unfinished-pes.js';

const VIDEO = 0x100;
const AUDIO = 0x101;

/** A packet of `pid`; with `counted`, the first one of a PES packet with this value in its length field. */
function packet(pid: number, counted?: number): Buffer {
  const bytes = Buffer.alloc(PACKET_SIZE, 0xa5);
  bytes.set([0x47, (counted === undefined ? 0 : 0x40) | (pid >> 8), pid & 0xff, 0x10]);
  if (counted !== undefined) bytes.set([0, 0, 1, 0xc0, counted >> 8, counted & 0xff, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1], 4);
  return bytes;
}

function pidsAfter(...packets: Buffer[]): number[] {
  const bytes = Buffer.concat(packets);
  blankUnfinishedPes(bytes, bytes.length, VIDEO);
  return packets.map((_, index) => pidOf(bytes, index * PACKET_SIZE));
}

describe('at a cut', () => {
  it('incomplete audio becomes null packets; complete audio and video stay', () => {
    const whole = [packet(AUDIO, 360), packet(VIDEO, 0), packet(AUDIO)];
    const half = [packet(AUDIO, 360), packet(VIDEO)];
    expect(pidsAfter(...whole, ...half)).toEqual([AUDIO, VIDEO, AUDIO, NULL_PID, VIDEO]);
  });

  it('a PES packet without a length, without its start or with a PCR stays', () => {
    const withClock = packet(AUDIO, 1000);
    withClock.copy(withClock, 12, 4, 100);
    withClock.set([0x47, 0x40 | (AUDIO >> 8), AUDIO & 0xff, 0x30, 7, 0x10, 0, 0, 0, 0, 0, 0], 0);
    expect(pidsAfter(packet(AUDIO), packet(AUDIO, 0))).toEqual([AUDIO, AUDIO]);
    expect(pidsAfter(withClock, packet(AUDIO))).toEqual([AUDIO, AUDIO]);
  });
});

describe('the end of a chunk with an incomplete picture', () => {
  const lengthOf = (...packets: Buffer[]): number =>
    lengthBeforeUnfinishedPes(Buffer.concat(packets), packets.length * PACKET_SIZE, VIDEO) / PACKET_SIZE;

  it('is before incomplete audio', () => {
    expect(lengthOf(packet(VIDEO, 0), packet(AUDIO, 360), packet(AUDIO), packet(VIDEO), packet(AUDIO, 360), packet(VIDEO))).toBe(4);
  });

  it('is the end of the bytes if the audio is complete', () => {
    expect(lengthOf(packet(VIDEO, 0), packet(AUDIO, 360), packet(AUDIO), packet(VIDEO))).toBe(4);
  });
});
