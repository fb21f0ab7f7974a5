import { describe, expect, it } from 'vitest';
import { type SourceJudgement, type SourceReading, SourceFaultDetector } from './source-faults.policy.js';

const HEALTHY: SourceReading = {
  now: 0,
  lastByteAt: 0,
  bitrate: 4_000_000,
  mediaMs: 0,
  pcrAdvancedAt: 0,
  bytesSincePcrAdvance: 0,
  repeats: 0,
  pcrDiscontinuities: 0,
  losses: 0,
  bytesWithoutLock: 0,
};

/** A source in real time, looked at every half second; `change` says what is different about it at a time (ms). */
function judged(untilMs: number, change: (now: number) => Partial<SourceReading>): { at: number; judgement: SourceJudgement }[] {
  const reading = (now: number): SourceReading => ({ ...HEALTHY, now, lastByteAt: now, mediaMs: now, pcrAdvancedAt: now, ...change(now) });
  const watch = new SourceFaultDetector(reading(0));
  const judgements = [];
  for (let now = 500; now <= untilMs; now += 500) judgements.push({ at: now, judgement: watch.judge(reading(now)) });
  return judgements;
}

/** When it was first advised to leave the source, and why; null if never. */
function leftAt(untilMs: number, change: (now: number) => Partial<SourceReading>): [number, string | null] | null {
  const first = judged(untilMs, change).find(({ judgement }) => judgement.advice === 'switch');
  return first === undefined ? null : [first.at, first.judgement.fault];
}

/** Bytes stop at `from` and come again at `to`, with what was missed. */
const gap = (from: number, to: number) => (now: number) => {
  const since = now > from && now < to ? from : now;
  return { lastByteAt: since, mediaMs: since, pcrAdvancedAt: since };
};

describe('a source', () => {
  it('in real time is well for an hour', () => {
    expect(judged(3_600_000, () => ({})).filter(({ judgement }) => judgement.fault !== null)).toEqual([]);
  });

  it('with gaps of 4 s and bursts after them is well', () => {
    expect(leftAt(600_000, (now) => gap(now - (now % 10_000), now - (now % 10_000) + 4000)(now))).toBeNull();
  });

  it('that is silent for long is not judged by its lead before bytes come again', () => {
    expect(leftAt(40_000, gap(2000, 38_000))).toBeNull();
    expect(leftAt(60_000, (now) => ({ mediaMs: now < 2000 ? now : Math.max(2000, now - 20_000) }))?.[1]).toBe('starving');
  });

  it('whose clock stands while bytes flow is left after 2 s and a second’s worth of bytes', () => {
    const frozen = (now: number) => ({
      pcrAdvancedAt: Math.min(now, 5000),
      mediaMs: now,
      bytesSincePcrAdvance: Math.max(0, now - 5000) * 500,
    });
    expect(leftAt(60_000, frozen)).toEqual([7000, 'frozen']);
    const slow = (now: number) => ({
      pcrAdvancedAt: Math.min(now, 5000),
      mediaMs: now,
      bytesSincePcrAdvance: Math.max(0, now - 5000) * 50,
    });
    expect(leftAt(60_000, slow)).toEqual([15_000, 'frozen']);
    expect(leftAt(60_000, () => ({ pcrAdvancedAt: null, bytesSincePcrAdvance: 1e9 }))).toBeNull();
  });

  it('that delivers less than real time is left when 10 s are lost, or at less than nine tenths of a minute', () => {
    expect(leftAt(60_000, (now) => ({ mediaMs: now * 0.5 }))?.[1]).toBe('starving');
    expect(leftAt(60_000, (now) => ({ mediaMs: now * 0.5 }))?.[0]).toBeGreaterThan(20_000);
    expect(leftAt(120_000, (now) => ({ mediaMs: now * 0.88 }))?.[0]).toBeLessThanOrEqual(70_000);
    expect(leftAt(600_000, (now) => ({ mediaMs: now * 0.99 }))).toBeNull();
  });

  it('that begins with a burst and then keeps real time does not starve', () => {
    expect(leftAt(600_000, (now) => ({ mediaMs: Math.min(now * 3.5, now + 6000) }))).toBeNull();
  });

  it('that repeats itself for a second is left', () => {
    expect(leftAt(60_000, (now) => ({ repeats: now > 5000 ? 29 : 0 }))).toBeNull();
    expect(leftAt(60_000, (now) => ({ repeats: now > 5000 ? 30 : 0 }))).toEqual([5500, 'looping']);
  });

  it('that loses packets more than three times in ten seconds, or finds none in 64 kB, is left', () => {
    expect(leftAt(60_000, (now) => ({ losses: Math.floor(now / 4000) }))).toBeNull();
    expect(leftAt(60_000, (now) => ({ losses: Math.floor(now / 2000) }))?.[1]).toBe('corrupt');
    expect(leftAt(60_000, (now) => ({ losses: now > 20_000 ? 50_000 : 0 }))).toEqual([20_500, 'corrupt']);
    expect(leftAt(60_000, () => ({ bytesWithoutLock: 65_537 }))).toEqual([500, 'corrupt']);
  });

  it('whose clock leaps is named so once and kept', () => {
    const judgements = judged(20_000, (now) => ({ pcrDiscontinuities: now >= 7000 ? 1 : 0 }));
    expect(judgements.filter(({ judgement }) => judgement.fault !== null)).toEqual([
      { at: 7000, judgement: { advice: 'none', fault: 'pcr-discontinuity' } },
    ]);
  });
});
