/** Expected results of a chaos run, and its summary. */
import { expect } from 'vitest';
import type { ChaosReport } from './chaos.js';
import { OPEN_FILES_SLACK } from './engine-fleet.js';

const MB = 1024 * 1024;
/** Memory that garbage collection may leave between two samples. */
const MEMORY_NOISE = 40 * MB;

export function expectNoLossAndNoLeak(report: ChaosReport): void {
  const { lost, rejected, violations, unaccounted, before, after } = report;
  expect({ lost, rejected, violations: violations.slice(0, 20), unaccounted }).toEqual({
    lost: [],
    rejected: [],
    violations: [],
    unaccounted: [],
  });
  expect(after.files).toBeLessThanOrEqual(before.files + OPEN_FILES_SLACK);
  expect(after.timers).toBeLessThanOrEqual(before.timers);
}

/** In a long run, memory use of the last third must not exceed that of the first. */
export function expectMemoryFlat({ memory }: ChaosReport): void {
  const third = Math.floor(memory.length / 3);
  expect(mean(memory.slice(-third))).toBeLessThan(mean(memory.slice(0, third)) + MEMORY_NOISE);
}

export function summaryOf(report: ChaosReport): string[] {
  const { faults, lost, rejected, visits, violations, longestSilence, failovers, unaccounted, before, after, memory } = report;
  const total = [...faults.values()].reduce((sum, count) => sum + count, 0);
  const mb = (bytes: number): string => (bytes / MB).toFixed(0);
  return [
    `${total} faults: ${[...faults].map(([name, count]) => `${name} ${count}`).join(', ')}`,
    `${failovers} failovers, ${visits} visits of viewers that change streams; ${lost.length} viewers lost their connection, ${rejected.length} were rejected`,
    `${violations.length} violations of the standard in all viewers' streams; longest time without a byte ${longestSilence.toFixed(1)} s`,
    `sessions: ${unaccounted.length === 0 ? 'all stopped by the proxy or ended by a fault' : unaccounted.join('; ')}`,
    `files ${before.files} before, ${after.files} after; timers ${before.timers} before, ${after.timers} after`,
    `resident memory ${mb(before.resident)} MB before, ${memory.map(mb).join(' ')} during the run, ${mb(after.resident)} MB after; heap ${mb(before.heap)} and ${mb(after.heap)} MB`,
    ...[...lost, ...rejected, ...violations].slice(0, 40),
  ];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
