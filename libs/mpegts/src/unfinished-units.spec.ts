import { NULL_PID, PACKET_SIZE, pidOf } from '@acexy/mpegts';
import { describe, expect, it } from 'vitest';
import { blankUnfinishedUnits, lengthOfWholeUnits } from './unfinished-units.js';

const VIDEO = 0x100;
const SOUND = 0x101;

/** A packet of `pid`; with `counted`, the first one of a PES of so many bytes behind its length field. */
function packet(pid: number, counted?: number): Buffer {
  const bytes = Buffer.alloc(PACKET_SIZE, 0xa5);
  bytes.set([0x47, (counted === undefined ? 0 : 0x40) | (pid >> 8), pid & 0xff, 0x10]);
  if (counted !== undefined) bytes.set([0, 0, 1, 0xc0, counted >> 8, counted & 0xff, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1], 4);
  return bytes;
}

function pidsAfter(...packets: Buffer[]): number[] {
  const bytes = Buffer.concat(packets);
  blankUnfinishedUnits(bytes, bytes.length, VIDEO);
  return packets.map((_, index) => pidOf(bytes, index * PACKET_SIZE));
}

describe('where a stream is cut', () => {
  it('sound whose end has not come becomes null packets; sound that is whole, and the picture, stay', () => {
    const whole = [packet(SOUND, 360), packet(VIDEO, 0), packet(SOUND)];
    const half = [packet(SOUND, 360), packet(VIDEO)];
    expect(pidsAfter(...whole, ...half)).toEqual([SOUND, VIDEO, SOUND, NULL_PID, VIDEO]);
  });

  it('what has no length, what began before, and what carries the clock stays', () => {
    const withClock = packet(SOUND, 1000);
    withClock.copy(withClock, 12, 4, 100);
    withClock.set([0x47, 0x40 | (SOUND >> 8), SOUND & 0xff, 0x30, 7, 0x10, 0, 0, 0, 0, 0, 0], 0);
    expect(pidsAfter(packet(SOUND), packet(SOUND, 0))).toEqual([SOUND, SOUND]);
    expect(pidsAfter(withClock, packet(SOUND))).toEqual([SOUND, SOUND]);
  });
});

describe('where a picture that is not whole has to be handed out', () => {
  const wholeOf = (...packets: Buffer[]): number =>
    lengthOfWholeUnits(Buffer.concat(packets), packets.length * PACKET_SIZE, VIDEO) / PACKET_SIZE;

  it('it ends before sound that is not whole yet', () => {
    expect(wholeOf(packet(VIDEO, 0), packet(SOUND, 360), packet(SOUND), packet(VIDEO), packet(SOUND, 360), packet(VIDEO))).toBe(4);
  });

  it('all of it goes where the sound is whole', () => {
    expect(wholeOf(packet(VIDEO, 0), packet(SOUND, 360), packet(SOUND), packet(VIDEO))).toBe(4);
  });
});
