import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FaultInjector } from '../faults/fault-injector.js';
import { settingsFromEnvironment } from '../faults/simulator-settings.js';
import { Broadcasts, LoopCache } from './broadcasts.js';
import { loadClip } from './clip.js';
import { encodeLoop } from './loop-file.js';
import { multiplex, packetsPerLoop } from './multiplexer.js';
import { loopOfPesPackets } from './pes.js';
import { Timeline } from './timeline.js';

const folder = mkdtempSync(join(tmpdir(), 'loop-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

const RATE = 2_000_000;
const INFOHASH = 'ab'.repeat(20);
const loop = multiplex(loopOfPesPackets(loadClip('picture-low')), packetsPerLoop(RATE));

function engineWith(bytes: Buffer, bitrate = RATE): Broadcasts {
  const file = join(folder, 'a.loop');
  writeFileSync(file, bytes);
  return new Broadcasts(new FaultInjector(settingsFromEnvironment({ SIM_LOOP_FILE: file, SIM_BITRATE: String(bitrate) })), Date.now);
}

describe('SIM_LOOP_FILE', () => {
  it('replaces the picture at the bitrate of the engine and at no other', () => {
    const engine = engineWith(encodeLoop(loop));
    const sent = (bitrate: number) => engine.timelineOf({ infohash: INFOHASH, id: null, settings: { bitrate } }).read(1_000_000, 5000);
    expect(sent(RATE).equals(new Timeline(loop, INFOHASH).read(1_000_000, 5000))).toBe(true);
    expect(sent(2_100_000).equals(new Timeline(new LoopCache().loop(2_100_000, 'picture'), INFOHASH).read(1_000_000, 5000))).toBe(true);
  });

  it.each<[string, Buffer, number, RegExp]>([
    ['it is no loop', Buffer.from('a picture'), RATE, /a\.loop: it does not begin with the JSON line of a loop$/],
    ['it is incomplete', encodeLoop(loop).subarray(0, -1), RATE, /a\.loop: it has \d+ bytes instead of \d+$/],
    ['it has another bitrate', encodeLoop(loop), 3_500_000, /a\.loop: it has 25532 packets, but SIM_BITRATE 3500000 needs 44681$/],
  ])('stops the start of the engine if %s', (_, bytes, bitrate, error) => {
    expect(() => engineWith(bytes, bitrate)).toThrow(error);
  });
});
