/** Expected results of a soak run, and its summary. */
import { expect } from 'vitest';
import type { PlayerState } from '../support/browser.js';
import type { PlayerReport } from '../support/players.js';
import type { ViewerStreamReport } from '../support/viewer-stream-checker.js';
import { BURST_S, type SoakReport } from './soak.js';

/** Every player played to the end without an error, and every viewer got a valid stream. */
export function expectOnlyPauses({ rounds, watching, joined, web, checker, slow, sessions }: SoakReport): void {
  expect(sessions).toBe(1);
  expect(web?.fatal ?? []).toEqual([]);
  expect(watching.filter(({ endedWell }) => !endedWell)).toEqual([]);
  expect(
    [...watching, ...joined].flatMap(({ player, form, complaints }) => complaints.map((line) => `${player} (${form}): ${line}`)),
  ).toEqual([]);
  expect(joined.filter(({ startedAfter }) => startedAfter === null).map(({ player }) => player)).toEqual([]);
  expect(checker.ts.faults).toEqual([]);
  expect(checker.earlyNullPackets).toEqual([]);
  expect(slow.ts.faults).toEqual([]);
  expect(rounds.filter(({ exact, outcome, silence }) => exact && outcome !== 'exact' && silence < BURST_S)).toEqual([]);
}

export function summaryOf({ rounds, watching, joined, web, checker, slow, skips, watchedSeconds }: SoakReport): string[] {
  const exact = rounds.filter(({ outcome }) => outcome === 'exact').length;
  return [
    `${rounds.length} engine faults, ${exact} with exact continuation; ${(watchedSeconds / 60).toFixed(0)} minutes watched by ${watching.length} players and ${joined.length} that joined`,
    `time without a byte after a fault: ${percentiles(rounds.map(({ silence }) => silence))}`,
    `start time of joining players: ${percentiles(joined.flatMap(({ startedAfter }) => startedAfter ?? []))}`,
    ...watching.map(lineOf),
    ...(web === null ? [] : [lineOfWeb(web)]),
    `checker: ${describeReport(checker)}`,
    `slow viewer: ${describeReport(slow)}, skipped ${skips} times`,
  ];
}

function lineOfWeb({ seconds, frames, dropped, longestFreezeMs, fatal }: PlayerState): string {
  return `hls.js (hls): ${seconds.toFixed(0)} s played, ${frames} pictures, ${dropped} dropped, longest freeze ${(longestFreezeMs / 1000).toFixed(1)} s, ${fatal.length} fatal errors`;
}

function lineOf({ player, form, watched, played, longestFreeze, complaints, remarks, endedWell }: PlayerReport): string {
  const end = endedWell ? 'watched to the end' : 'EXITED EARLY';
  const said = complaints.length === 0 ? 'no errors' : `${complaints.length} ERRORS: ${complaints.join(' | ')}`;
  return `${player} (${form}): ${watched.toFixed(0)} s, ${played.toFixed(0)} s of them played, longest freeze ${longestFreeze.toFixed(1)} s, ${remarks} messages about pauses, ${said}, ${end}`;
}

function describeReport({ ts, markers, breaks }: ViewerStreamReport): string {
  const faults =
    ts.faults.length === 0 ? 'no fault' : `${ts.faults.length} FAULTS: ${ts.faults.slice(0, 20).map(describeFault).join('; ')}`;
  return `${ts.packets} packets, ${ts.seconds.toFixed(0)} s of PCR, ${faults}; ${markers} markers, ${breaks.length} breaks of the content`;
}

function describeFault({ rule, packet, pid, detail }: ViewerStreamReport['ts']['faults'][number]): string {
  return `${rule} at packet ${packet} of PID ${pid}: ${detail}`;
}

function percentiles(values: readonly number[]): string {
  if (values.length === 0) return 'none';
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(2);
  return `p50 ${at(0.5)} s, p95 ${at(0.95)} s, most ${at(1)} s`;
}
