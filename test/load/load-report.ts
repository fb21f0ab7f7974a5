/** The results of the load levels, and whether they keep the promises. Pure. */
import type { LoadReport, Phase } from './load.js';

/** The percentile `share` (0 to 1), nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

const seconds = (ms: number): string => (ms / 1000).toFixed(ms < 9_950 ? 1 : 0);
const firstBytes = (phase: Phase): number[] => phase.starts.flatMap(({ firstByteMs }) => firstByteMs ?? []);
const quantiles = (values: readonly number[]): string => [0.5, 0.95, 0.99].map((share) => seconds(percentile(values, share))).join(' / ');
const success = ({ starts }: Phase): string => `${starts.filter(({ firstByteMs }) => firstByteMs !== null).length} of ${starts.length}`;
const interruptions = ({ cold, steady, churn, restart }: LoadReport): number =>
  [cold, steady, churn, restart].reduce((sum, phase) => sum + phase.interruptions.length, 0);
const refusals = ({ cold, churn, restart }: LoadReport): number =>
  [cold, churn, restart].flatMap(({ starts }) => starts).reduce((sum, start) => sum + start.refusals, 0);

const ROWS: [string, (report: LoadReport) => string][] = [
  ['Streams / viewers', ({ streams, viewers }) => `${streams} / ${viewers}`],
  ['Cold start: viewers with a stream', ({ cold }) => success(cold)],
  ['– first byte, s, p50 / p95 / p99', ({ cold }) => quantiles(firstBytes(cold))],
  ['Churn: viewers with a stream', ({ churn }) => success(churn)],
  ['– first byte, s, p50 / p95 / p99', ({ churn }) => quantiles(firstBytes(churn))],
  ['Restart: viewers with a stream', ({ restart }) => success(restart)],
  ['– first byte, s, p50 / p95 / p99', ({ restart }) => quantiles(firstBytes(restart))],
  ['– orchestrator unreachable, s', ({ restartMs }) => seconds(restartMs)],
  ['Requests that got 503 before the stream started', (report) => String(refusals(report))],
  ['Interruptions', (report) => String(interruptions(report))],
  [
    'API: calls, p50 / p99, ms',
    ({ apiMs }) => `${apiMs.length}, ${percentile(apiMs, 0.5).toFixed(0)} / ${percentile(apiMs, 0.99).toFixed(0)}`,
  ],
  ['API: unanswered calls', ({ apiFailures }) => String(apiFailures)],
  ['Most engines', ({ mostEngines }) => String(mostEngines)],
  ['Provisions, failed', ({ provisions, failedProvisions }) => `${provisions}, ${failedProvisions}`],
  ['Circuit breaker openings', ({ breakerOpenings }) => String(breakerOpenings)],
  ['Orchestrator: processor, memory', ({ orchestrator, seconds: all }) => usage(orchestrator, all)],
  ['Proxy: processor, memory', ({ proxy, seconds: all }) => usage(proxy, all)],
  ['Machine: processor', ({ machineBusy }) => `${(machineBusy * 100).toFixed(0)} %`],
  [
    'Docker calls, per provision',
    ({ dockerCalls, provisions }) => {
      const all = Object.values(dockerCalls).reduce((sum, count) => sum + count, 0);
      return `${all}, ${(all / provisions).toFixed(1)}`;
    },
  ],
  ['Duration of the run, s', ({ seconds: all }) => all.toFixed(0)],
];

function usage({ cpuS, memoryMb }: { cpuS: number; memoryMb: number }, all: number): string {
  return `${((100 * cpuS) / all).toFixed(1)} %, ${memoryMb.toFixed(0)} MB`;
}

/** A Markdown table with one column per level. */
export function tableOf(reports: readonly LoadReport[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    row(['', ...reports.map(({ level }) => level)]),
    row(['---', ...reports.map(() => '---')]),
    ...ROWS.map(([what, show]) => row([what, ...reports.map(show)])),
  ].join('\n');
}

/** The API answers from memory, so it must be faster than the proxy's timeout for one call. */
const API_LIMIT_MS = 3_000;

/** What is not as promised, one sentence each; empty if all is well. */
export function shortfalls(report: LoadReport): string[] {
  const all = [report.cold, report.steady, report.churn, report.restart];
  const failed = all.flatMap(({ starts }) => starts.filter(({ firstByteMs }) => firstByteMs === null));
  const interrupted = all.flatMap((phase) => phase.interruptions);
  const p99 = percentile(report.apiMs, 0.99);
  const viewers = report.streams + Math.min(10, report.streams);
  return [
    ...(report.cold.starts.length < viewers ? [`${viewers - report.cold.starts.length} viewers wait for their first byte`] : []),
    ...(failed.length > 0 ? [`${failed.length} viewers got no stream: ${failed[0].failure}`] : []),
    ...(interrupted.length > 0 ? [`${interrupted.length} interruptions: ${interrupted.slice(0, 5).join('; ')}`] : []),
    ...(p99 > API_LIMIT_MS ? [`p99 of the API calls is ${p99.toFixed(0)} ms, at most ${API_LIMIT_MS} ms expected`] : []),
    ...(report.apiFailures > 0 ? [`${report.apiFailures} API calls had no answer`] : []),
    ...(report.breakerOpenings > 0 ? [`the circuit breaker opened ${report.breakerOpenings} times`] : []),
    ...(report.failedProvisions > 0 ? [`${report.failedProvisions} provisions failed`] : []),
  ];
}
