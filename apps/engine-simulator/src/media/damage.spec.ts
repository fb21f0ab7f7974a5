import { NONE, NULL_PID, PACKET_SIZE, PAT_PID, continuityCounter, distance, pidOf, readPcr, WRAP_27M } from '@acexy/mpegts';
import { describe, expect, it } from 'vitest';
import { type SimulatorSettings, settingsFromEnvironment } from '../faults/simulator-settings.js';
import { LoopCache } from './broadcasts.js';
import { damage } from './damage.js';
import { AUDIO_PID, VIDEO_PID } from './layout.js';
import { Timeline } from './timeline.js';

const timeline = new Timeline(new LoopCache().loop(3_500_000, 'picture'), '0'.repeat(40));
const from = timeline.packetAt(1_700_000_000_000);
const COUNT = 20_000;
const clean = timeline.read(from, COUNT);
const damaged = (settings: Partial<SimulatorSettings>, age = 10_000) =>
  damage(timeline.read(from, COUNT), from, age, { ...settingsFromEnvironment({}), ...settings });
const pids = (bytes: Buffer) => Array.from({ length: Math.floor(bytes.length / PACKET_SIZE) }, (_, n) => pidOf(bytes, n * PACKET_SIZE));
const media = pids(clean).filter((pid) => pid === VIDEO_PID || pid === AUDIO_PID).length;

describe('damage', () => {
  it('changes nothing by default', () => {
    expect(damaged({}).equals(clean)).toBe(true);
  });

  it('drops about the configured share of media packets, the same ones every time', () => {
    const dropped = COUNT - damaged({ dropPpm: 100_000 }).length / PACKET_SIZE;
    expect(dropped / media).toBeGreaterThan(0.08);
    expect(dropped / media).toBeLessThan(0.12);
    expect(damaged({ dropPpm: 100_000 }).equals(damaged({ dropPpm: 100_000 }))).toBe(true);
  });

  it('drops all packets of a PID', () => {
    expect(pids(damaged({ dropPids: '0x101, 0' })).filter((pid) => pid === AUDIO_PID || pid === PAT_PID)).toEqual([]);
  });

  it('makes continuity counters wrong', () => {
    const bytes = damaged({ ccErrorPpm: 100_000 });
    const broken = pids(clean).filter(
      (_, n) => continuityCounter(bytes, n * PACKET_SIZE) !== continuityCounter(clean, n * PACKET_SIZE),
    ).length;
    expect(broken / media).toBeGreaterThan(0.08);
    expect(broken / media).toBeLessThan(0.12);
  });

  it('removes the PAT, or the audio after a time, and keeps the rate', () => {
    const withoutPat = damaged({ missingPat: true });
    expect(pids(withoutPat)).not.toContain(PAT_PID);
    expect(withoutPat.length).toBe(clean.length);
    expect(pids(damaged({ audioLostAfterMs: 10_001 }))).toContain(AUDIO_PID);
    const silent = pids(damaged({ audioLostAfterMs: 10_000 }));
    expect(silent).not.toContain(AUDIO_PID);
    expect(silent.filter((pid) => pid === NULL_PID).length).toBeGreaterThan(pids(clean).filter((pid) => pid === NULL_PID).length);
  });

  it('makes the clocks jump', () => {
    const bytes = damaged({ ptsJumpAfterMs: 0, ptsJumpMs: 60_000 });
    const at = pids(clean).findIndex((_, n) => readPcr(clean, n * PACKET_SIZE) !== NONE) * PACKET_SIZE;
    expect(distance(readPcr(clean, at), readPcr(bytes, at), WRAP_27M)).toBe(60 * 27_000_000);
  });

  it('inserts garbage between packets', () => {
    const extra = damaged({ garbagePpm: 1000 }).length - clean.length;
    expect(extra).toBeGreaterThan(0);
    expect(extra % 100).toBe(0);
  });
});
