import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Demand,
  NEW_STREAM,
  type StreamFacts,
  type StreamLimits,
  demandsOf,
  divide,
  floorOf,
  ringLimit,
} from './buffer-budget.policy.js';

const MIB = 2 ** 20;
const LIMITS: StreamLimits = { ringBytes: 32 * MIB, maxSeconds: 60, joinSeconds: 1, chunkBytes: MIB / 4 };
const TOTAL = 512 * MIB;

const stream = (facts: Partial<StreamFacts> = {}): StreamFacts => ({
  bitrate: 8e6,
  viewers: 4,
  keyframeMs: 2000,
  hls: null,
  leftBytes: null,
  ...facts,
});
const demandOf = (facts: Partial<StreamFacts>): Demand => demandsOf([stream(facts)], LIMITS)[0];
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const anyStream = fc.record({
  bitrate: fc.option(fc.integer({ min: 1, max: 60_000_000 })),
  viewers: fc.nat(2000),
  keyframeMs: fc.option(fc.nat(60_000)),
  hls: fc.option(fc.record({ neededMs: fc.nat(60_000), mostBytes: fc.nat(80 * MIB) })),
  leftBytes: fc.option(fc.nat(32 * MIB), { freq: 5 }),
});

describe('the memory for stream buffers', () => {
  it('is never exceeded, and no stream gets less than it needs or more than it can use', () => {
    fc.assert(
      fc.property(fc.array(anyStream, { maxLength: 150 }), fc.integer({ min: 16 * MIB, max: 2048 * MIB }), (streams, total) => {
        const demands = demandsOf(streams, LIMITS);
        const { shares, short } = divide(total, demands);
        expect(sum(shares)).toBeLessThanOrEqual(total * (1 + 1e-9));
        expect(short).toBe(floorOf(demands) > total);
        for (const [index, { floor, ceiling }] of demands.entries()) {
          expect(floor).toBeLessThanOrEqual(ceiling);
          expect(shares[index]).toBeLessThanOrEqual(ceiling * (1 + 1e-9));
          if (!short) expect(shares[index]).toBeGreaterThanOrEqual(floor * (1 - 1e-9));
        }
      }),
    );
  });

  it('is not exceeded when the weights of the streams differ by many orders of magnitude', () => {
    const light = { floor: 0, ceiling: 8 * MIB, weight: 1.3e-5 };
    expect(sum(divide(MIB, [{ floor: 0, ceiling: 1, weight: 3e10 }, light, light]).shares)).toBeLessThanOrEqual(MIB);
  });

  it('is used completely while any stream could use more', () => {
    fc.assert(
      fc.property(fc.array(anyStream, { minLength: 1, maxLength: 50 }), (streams) => {
        const demands = demandsOf(streams, LIMITS);
        const wanted = sum(demands.map(({ ceiling }) => ceiling));
        expect(sum(divide(TOTAL, demands).shares)).toBeCloseTo(Math.min(TOTAL, wanted), -1);
      }),
    );
  });

  it('gives a few streams their whole ACEXY_BUFFER_MAX, or ACEXY_BUFFER_SECONDS if that is less', () => {
    const { shares } = divide(TOTAL, demandsOf([stream(), stream({ bitrate: 1e6 })], LIMITS));
    expect(shares.map((share) => ringLimit(share, false, LIMITS))).toEqual([32 * MIB, 7.5e6 + MIB / 4]);
  });

  it('has room for 100 streams of 8 Mb/s with keyframes every 2 s by default, and for 110 but not for 130', () => {
    const fits = (count: number): boolean =>
      floorOf(
        demandsOf(
          Array.from({ length: count }, () => stream()),
          LIMITS,
        ),
      ) <= TOTAL;
    expect([fits(100), fits(110), fits(130)]).toEqual([true, true, false]);
  });

  it('gives equal viewers equal seconds beyond what every stream needs, and more to a stream with more viewers', () => {
    const many = Array.from({ length: 60 }, () => stream());
    const demands = demandsOf([stream({ bitrate: 4e6 }), stream({ viewers: 400 }), stream({ viewers: 0 }), ...many], LIMITS);
    const { shares } = divide(TOTAL, demands);
    const extra = shares.map((share, index) => share - demands[index].floor);
    expect(extra[0] / extra[3]).toBeCloseTo(0.5);
    expect(extra[2] / extra[3]).toBeCloseTo(0.2);
    expect(shares[1]).toBe(demands[1].ceiling);
  });

  it('must hold the keyframe interval, what viewers join with, and one second to continue from another source', () => {
    const outside = MIB / 2;
    expect(demandOf({}).floor).toBe(4e6 + outside);
    expect(demandOf({ keyframeMs: 5000 }).floor).toBe(7e6 + outside);
    expect(demandOf({ keyframeMs: null }).floor).toBe(4e6 + outside);
    expect(demandOf({ keyframeMs: 3_600_000 }).floor).toBe(12e6 + outside);
    expect(demandOf({ hls: { neededMs: 20_000, mostBytes: 64 * MIB } })).toMatchObject({
      floor: 20e6 + outside,
      ceiling: 64 * MIB + outside,
    });
    expect(demandOf({ bitrate: 100e6 }).floor).toBe(32 * MIB + outside);
  });

  it('takes the usual bit rate of the others for a stream that starts, or 8 Mb/s', () => {
    const outside = MIB / 2;
    expect(demandsOf([NEW_STREAM], LIMITS)[0].floor).toBe(4e6 + outside);
    expect(demandsOf([stream({ bitrate: 1e6 }), stream({ bitrate: 3e6 }), NEW_STREAM], LIMITS)[2].floor).toBe(1e6 + outside);
  });

  it('needs almost nothing for an ended stream, whose last viewers keep what is left if there is room', () => {
    const ended = demandOf({ leftBytes: 10 * MIB });
    expect(ended).toMatchObject({ floor: MIB / 2, ceiling: 10.5 * MIB });
  });

  it('is divided in proportion when the streams need more than there is, and their rings then keep a reserve for the newest keyframe', () => {
    const demands = demandsOf([stream({ bitrate: 40e6 }), stream({ bitrate: 20e6 })], LIMITS);
    const { shares, short } = divide(16 * MIB, demands);
    expect([short, Math.round(sum(shares))]).toEqual([true, 16 * MIB]);
    expect(shares[0] / shares[1]).toBeCloseTo(demands[0].floor / demands[1].floor);
    expect(ringLimit(8 * MIB, true, LIMITS)).toBe((8 * MIB - MIB / 4) / 2);
    expect(ringLimit(8 * MIB, false, LIMITS)).toBe(8 * MIB - MIB / 4);
  });
});
