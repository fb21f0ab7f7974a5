import { describe, expect, it } from 'vitest';
import { type SimulatorSettings, settingsFromEnvironment } from '../faults/simulator-settings.js';
import { type ReaderState, type PacingStep, arrivedPackets, earnedCredit, packetsPerPiece, planStep, sourcePacket } from './pacing.plan.js';

const PER_MS = 2.327; // packets per ms at 3.5 Mb/s
const STEP_MS = 80;

/** Runs the plan of a reader for `ms` with a burst of 6 s; returns how much was sent at which time. */
function run(ms: number, changed: Partial<SimulatorSettings> = {}, change: (now: number) => Partial<SimulatorSettings> = () => ({})) {
  const settings = { ...settingsFromEnvironment({}), ...changed };
  const start = 1_700_000_000_000;
  const edgeAt = (now: number) => Math.floor(now * PER_MS);
  const piece = packetsPerPiece(settings.chunkBytes);
  const state: ReaderState = {
    startedAt: start,
    lastStep: start,
    position: edgeAt(start - settings.burstSec * 1000),
    bytes: 0,
    credit: piece,
    stalledSince: null,
    recovered: false,
  };
  const sent: { at: number; count: number }[] = [];
  let last: PacingStep = { do: 'wait' };
  for (let now = start; now <= start + ms && last.do !== 'end' && last.do !== 'reset'; now += STEP_MS) {
    const current = { ...settings, ...change(now - start) };
    state.credit = earnedCredit(state, now, PER_MS, current);
    state.lastStep = now;
    last = planStep(state, now, edgeAt(now), PER_MS, current);
    if (last.do !== 'stall') state.stalledSince = null;
    if (last.do === 'stall') state.stalledSince ??= now;
    if (last.do === 'recover') state.recovered = true;
    if (last.do === 'send') {
      sent.push({ at: now - start, count: last.count });
      state.position += last.count;
      state.bytes += last.count * 188;
      state.credit -= last.count;
    }
  }
  const between = (from: number, to: number) => sent.filter(({ at }) => at >= from && at < to).reduce((sum, { count }) => sum + count, 0);
  return { sent, last, between, lag: (edgeAt(start + ms) - state.position) / PER_MS };
}

describe('pacing of a reader', () => {
  it('begins with a burst of three to four times real time', () => {
    const { between } = run(20_000);
    const factor = between(0, 2000) / (2000 * PER_MS);
    expect(factor).toBeGreaterThan(3);
    expect(factor).toBeLessThan(4);
  });

  it('continues in pieces at real time, close behind the live edge', () => {
    const { between, sent, lag } = run(40_000);
    expect(between(10_000, 40_000) / (30_000 * PER_MS)).toBeCloseTo(1, 1);
    expect(lag).toBeLessThan(800);
    const gaps = sent.filter(({ at }) => at > 10_000).map(({ at }, index, list) => (index === 0 ? 0 : at - list[index - 1].at));
    expect(Math.max(...gaps)).toBeGreaterThan(STEP_MS);
  });

  it('falls behind if the source starves', () => {
    expect(run(40_000, { rateFactor: 0.5 }).between(0, 40_000) / (40_000 * PER_MS)).toBeCloseTo(0.5, 1);
  });

  it('stalls after the configured time and catches up when it resumes', () => {
    const { between, lag } = run(30_000, { stallAfterMs: 8000, resumeAfterMs: 5000 });
    expect(between(8000, 13_000)).toBe(0);
    expect(between(13_000, 30_000)).toBeGreaterThan(15_000 * PER_MS);
    expect(lag).toBeLessThan(800);
  });

  it('stalls until the fault is cleared if it has no end', () => {
    const { between } = run(30_000, {}, (age) => (age >= 8000 && age < 20_000 ? { stallAfterMs: 0 } : {}));
    expect(between(8000, 20_000)).toBe(0);
    expect(between(20_000, 30_000)).toBeGreaterThan(10_000 * PER_MS);
  });

  it('ends or resets after the configured time or bytes', () => {
    expect(run(20_000, { eofAfterMs: 3000 }).last).toEqual({ do: 'end' });
    expect(run(20_000, { resetAfterBytes: 100_000 }).last).toEqual({ do: 'reset' });
  });

  it('sends nothing with headersThenSilence', () => {
    expect(run(20_000, { headersThenSilence: true }).sent).toEqual([]);
  });
});

describe('pieces', () => {
  it('arrive complete, late by up to the jitter', () => {
    for (let edge = 1_000_000; edge < 1_010_000; edge += 13) {
      const packets = arrivedPackets(edge, 700, 200);
      expect(packets % 700).toBe(0);
      expect(edge - packets).toBeGreaterThanOrEqual(0);
      expect(edge - packets).toBeLessThan(900);
    }
  });
});

describe('loop', () => {
  it('repeats its last part', () => {
    expect(sourcePacket(99, null, 10)).toEqual({ from: 99, left: Infinity });
    expect(sourcePacket(99, 100, 10)).toEqual({ from: 99, left: 1 });
    expect(sourcePacket(100, 100, 10)).toEqual({ from: 90, left: 10 });
    expect(sourcePacket(125, 100, 10)).toEqual({ from: 95, left: 5 });
  });
});
