import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FaultInjector } from '../faults/fault-injector.js';
import { settingsFromEnvironment } from '../faults/simulator-settings.js';
import { Broadcasts } from './broadcasts.js';

const OTHER_CLIP = fileURLToPath(new URL('../../media/picture-low.mpegts', import.meta.url));
const CONTENT = { infohash: 'ab'.repeat(20), id: null, settings: {} };
const broadcasts = (environment: NodeJS.ProcessEnv) => new Broadcasts(new FaultInjector(settingsFromEnvironment(environment)), Date.now);

describe('SIM_CLIP', () => {
  it('replaces the picture at the bitrate of the engine only', () => {
    const engine = broadcasts({ SIM_CLIP: OTHER_CLIP, SIM_BITRATE: '2000000' });
    const sent = (bitrate: number) => engine.timelineOf({ ...CONTENT, settings: { bitrate } }).read(0, 2000);
    const videoPackets = (bytes: Buffer) =>
      bytes.filter((_, at) => at % 188 === 1 && (bytes[at] & 0x1f) === 1 && bytes[at + 1] === 0).length;
    expect(videoPackets(sent(2_000_000))).toBeLessThan(videoPackets(sent(2_100_000)) / 2);
  });

  it('stops the start of the engine with the name of the file if it cannot be played', () => {
    expect(() => broadcasts({ SIM_CLIP: '/nowhere.ts' })).toThrow('SIM_CLIP is /nowhere.ts: ENOENT');
    expect(() => broadcasts({ SIM_CLIP: fileURLToPath(import.meta.url) })).toThrow(
      /broadcasts.spec.ts: the clip has 0 pictures and 0 audio frames: it must have 480 and 900/,
    );
  });
});
