import { NULL_PACKET, NULL_PID, PACKET_SIZE, pidOf } from '@acexy/mpegts';
import { beforeEach, describe, expect, it } from 'vitest';
import { LoopCache } from '../../apps/engine-simulator/src/media/broadcasts.js';
import { LOOP_MS } from '../../apps/engine-simulator/src/media/layout.js';
import { parseMarker } from '../../apps/engine-simulator/src/media/marker.js';
import { Timeline } from '../../apps/engine-simulator/src/media/timeline.js';
import { infohashOf } from '../support/broadcast-compare.js';
import { BroadcastFollower, ExpectedBroadcast } from './broadcast-follower.js';

const CONTENT = 'ab'.repeat(20);
const BITRATE = 1_600_000;
const loop = new LoopCache().loop(BITRATE, 'picture');
const timeline = new Timeline(loop, infohashOf(CONTENT));
const expected = new ExpectedBroadcast(loop);
/** Half a minute from the middle of a loop on, so two loops begin in it. */
const FROM = timeline.packetAt(90_000 * LOOP_MS + 12_000);
const broadcast = timeline.read(FROM, timeline.packetAt(90_000 * LOOP_MS + 42_000) - FROM);

let follower: BroadcastFollower;
beforeEach(() => (follower = new BroadcastFollower(expected, CONTENT)));

/** Sends the bytes in pieces that do not end at packets. */
function send(...parts: readonly Buffer[]): void {
  const bytes = Buffer.concat(parts);
  for (let at = 0; at < bytes.length; at += 10_007) follower.push(bytes.subarray(at, at + 10_007));
}

/** The offset of the first packet after `seconds` with this property. */
function offsetOf(seconds: number, found: (pid: number, at: number) => boolean): number {
  for (let at = Math.floor((seconds * BITRATE) / 8 / PACKET_SIZE) * PACKET_SIZE; at < broadcast.length; at += PACKET_SIZE)
    if (found(pidOf(broadcast, at), at)) return at;
  throw new Error('no such packet');
}

const isMedia = (pid: number): boolean => pid === 0x100;
const isNull = (pid: number): boolean => pid === NULL_PID;
const isMarker = (_pid: number, at: number): boolean => parseMarker(broadcast, at) !== null;

describe('a follower of a broadcast', () => {
  it('accepts the bytes of the broadcast over the beginning of a loop', () => {
    send(broadcast);
    expect(follower.faults).toEqual([]);
    expect(follower.exact).toBe(true);
    expect(follower.mediaTime).toBe(90_000 * LOOP_MS + 41_900);
  });

  it('accepts null packets that the proxy adds, also before a marker', () => {
    for (const found of [isMedia, isNull, isMarker]) {
      const at = offsetOf(8, found);
      follower = new BroadcastFollower(expected, CONTENT);
      send(broadcast.subarray(0, at), NULL_PACKET as Buffer, broadcast.subarray(at));
      expect([follower.faults, follower.exact]).toEqual([[], true]);
    }
  });

  it('notices one missing packet of any kind', () => {
    for (const found of [isMedia, isNull, isMarker]) {
      const at = offsetOf(8, found);
      follower = new BroadcastFollower(expected, CONTENT);
      send(broadcast.subarray(0, at), broadcast.subarray(at + PACKET_SIZE));
      expect(follower.faults).not.toEqual([]);
    }
  });

  it('notices one repeated packet', () => {
    const at = offsetOf(8, isMedia);
    send(broadcast.subarray(0, at + PACKET_SIZE), broadcast.subarray(at));
    expect(follower.faults).toEqual([expect.stringMatching(/^a packet of PID 256 after marker \d+ differs from the broadcast$/)]);
  });

  it('notices one changed byte', () => {
    const damaged = Buffer.from(broadcast);
    damaged[offsetOf(8, isMedia) + 100] ^= 1;
    send(damaged);
    expect(follower.faults).toHaveLength(1);
  });

  it('notices a gap in the first second, in which other packets may differ', () => {
    const [at, next] = [offsetOf(0.3, isMarker), offsetOf(0.5, isMarker)];
    send(broadcast.subarray(0, at), broadcast.subarray(next));
    expect(follower.faults).toEqual([expect.stringMatching(/^marker \d+ after \d+$/)]);
  });

  it('notices the bytes of another content', () => {
    send(new Timeline(loop, infohashOf('cd'.repeat(20))).read(FROM, 2000));
    expect(follower.faults[0]).toMatch(/^marker of content/);
  });

  it('checks only markers after a difference, so that re-stamped clocks are one fault', () => {
    const damaged = Buffer.from(broadcast);
    for (let at = offsetOf(8, isMedia); at < damaged.length; at += PACKET_SIZE) if (isMedia(pidOf(damaged, at))) damaged[at + 150] ^= 1;
    send(damaged);
    expect(follower.faults).toHaveLength(1);
  });
});
