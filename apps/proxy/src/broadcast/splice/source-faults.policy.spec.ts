import { describe, expect, it } from 'vitest';
import { type SourceFault, SourceFaultDetector, type SourceReading } from './source-faults.policy.js';

const HEALTHY: SourceReading = {
  now: 0,
  lastByteAt: 0,
  bitrate: 4_000_000,
  mediaMs: 0,
  pcrAdvancedAt: 0,
  bytesSincePcrAdvance: 0,
  repeats: 0,
  losses: 0,
  counterBreaks: 0,
  bytesWithoutLock: 0,
};

/** The faults of a source in real time, judged every half second; `change` returns what differs at a time (ms). */
function faultsOf(untilMs: number, change: (now: number) => Partial<SourceReading>): { at: number; fault: SourceFault }[] {
  const reading = (now: number): SourceReading => ({ ...HEALTHY, now, lastByteAt: now, mediaMs: now, pcrAdvancedAt: now, ...change(now) });
  const detector = new SourceFaultDetector(reading(0));
  const faults = [];
  for (let now = 500; now <= untilMs; now += 500) {
    const fault = detector.judge(reading(now));
    if (fault !== null) faults.push({ at: now, fault });
  }
  return faults;
}

/** When there was first a reason to switch, and which; null if never. */
function switchAt(untilMs: number, change: (now: number) => Partial<SourceReading>): [number, string | null] | null {
  const [first] = faultsOf(untilMs, change);
  return first === undefined ? null : [first.at, first.fault];
}

/** Bytes stop at `from` and return at `to`, with everything that was missed. */
const gap = (from: number, to: number) => (now: number) => {
  const since = now > from && now < to ? from : now;
  return { lastByteAt: since, mediaMs: since, pcrAdvancedAt: since };
};

describe('a source', () => {
  it('in real time has no fault for an hour', () => {
    expect(faultsOf(3_600_000, () => ({}))).toEqual([]);
  });

  it('with gaps of 4 s and bursts after them has no fault', () => {
    expect(switchAt(600_000, (now) => gap(now - (now % 10_000), now - (now % 10_000) + 4000)(now))).toBeNull();
  });

  it.each([1, 2, 4, 10])('that sends 20 s of media within %d s and then pauses has no fault', (seconds) => {
    const progress = (now: number) => {
      const [piece, into] = [Math.floor(now / 20_000), now % 20_000];
      const isFlowing = into < seconds * 1000;
      const mediaMs = piece * 20_000 + Math.min(20_000, (into * 20) / seconds);
      return { mediaMs, lastByteAt: isFlowing ? now : now - into + seconds * 1000, pcrAdvancedAt: now };
    };
    expect(faultsOf(600_000, progress)).toEqual([]);
  });

  it('that is silent for long is not judged by its lead until bytes return', () => {
    expect(switchAt(40_000, gap(2000, 38_000))).toBeNull();
    expect(switchAt(60_000, (now) => ({ mediaMs: now < 2000 ? now : Math.max(2000, now - 20_000) }))?.[1]).toBe('starving');
  });

  it('whose PCR does not advance while bytes flow is frozen after 2 s and the bytes of one second', () => {
    const frozen = (now: number) => ({
      pcrAdvancedAt: Math.min(now, 5000),
      mediaMs: now,
      bytesSincePcrAdvance: Math.max(0, now - 5000) * 500,
    });
    expect(switchAt(60_000, frozen)).toEqual([7000, 'frozen']);
    const slow = (now: number) => ({
      pcrAdvancedAt: Math.min(now, 5000),
      mediaMs: now,
      bytesSincePcrAdvance: Math.max(0, now - 5000) * 50,
    });
    expect(switchAt(60_000, slow)).toEqual([15_000, 'frozen']);
    expect(switchAt(60_000, () => ({ pcrAdvancedAt: null, bytesSincePcrAdvance: 1e9 }))).toBeNull();
    expect(switchAt(60_000, (now) => ({ ...frozen(now), bitrate: null, bytesSincePcrAdvance: 124_000 }))).toBeNull();
  });

  it('that is slower than real time is starving when 10 s are lost, or below 90 % of real time during a minute', () => {
    expect(switchAt(60_000, (now) => ({ mediaMs: now * 0.5 }))?.[1]).toBe('starving');
    expect(switchAt(60_000, (now) => ({ mediaMs: now * 0.5 }))?.[0]).toBeGreaterThan(20_000);
    expect(switchAt(120_000, (now) => ({ mediaMs: now * 0.88 }))?.[0]).toBeLessThanOrEqual(70_000);
    expect(switchAt(600_000, (now) => ({ mediaMs: now * 0.99 }))).toBeNull();
  });

  it('that becomes slower after minutes in real time is starving after one more minute, and one that is a little slow never is', () => {
    const [at, fault] = switchAt(600_000, (now) => ({ mediaMs: now - Math.max(0, now - 300_000) * 0.12 }))!;
    expect(fault).toBe('starving');
    expect(at).toBeGreaterThan(350_000);
    expect(at).toBeLessThanOrEqual(375_000);
    expect(switchAt(3_600_000, (now) => ({ mediaMs: now * 0.97 }))).toBeNull();
  });

  it('that was ahead and delivers no more media is starving when 10 s of its lead are lost', () => {
    expect(switchAt(60_000, (now) => ({ mediaMs: now < 6000 ? now : 18_000 }))).toEqual([16_500, 'starving']);
  });

  it('that starts with a burst and then keeps real time is not starving', () => {
    expect(switchAt(600_000, (now) => ({ mediaMs: Math.min(now * 3.5, now + 6000) }))).toBeNull();
  });

  it('that repeats one second is looping', () => {
    expect(switchAt(60_000, (now) => ({ repeats: now > 5000 ? 29 : 0 }))).toBeNull();
    expect(switchAt(60_000, (now) => ({ repeats: now > 5000 ? 30 : 0 }))).toEqual([5500, 'looping']);
  });

  it('with more than three losses in ten seconds, or without packets in 64 kB, is corrupt', () => {
    expect(switchAt(60_000, (now) => ({ losses: Math.floor(now / 4000) }))).toBeNull();
    expect(switchAt(60_000, (now) => ({ losses: Math.floor(now / 2000) }))?.[1]).toBe('corrupt');
    expect(switchAt(60_000, (now) => ({ losses: now > 20_000 ? 50_000 : 0 }))).toEqual([20_500, 'corrupt']);
    expect(switchAt(60_000, () => ({ bytesWithoutLock: 65_537 }))).toEqual([500, 'corrupt']);
    expect(switchAt(60_000, () => ({ bytesWithoutLock: 65_536 }))).toBeNull();
    const lost = (count: number) => (now: number) => ({ losses: now > 1000 ? 1 : 0, counterBreaks: now > 30_000 ? count : 0 });
    expect([switchAt(60_000, lost(3)), switchAt(60_000, lost(4))]).toEqual([null, [30_500, 'corrupt']]);
  });
});
