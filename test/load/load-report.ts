/** The results of the load levels, and whether they keep the promises. Pure. */
import { LEVELS } from './load-levels.js';
import type { LoadReport, Phase } from './load.js';
import type { CpuByPart } from './steady-usage.js';

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

const cores = (report: LoadReport, part: keyof CpuByPart): number => report.usage.cpuS[part] / report.usage.seconds;
const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
const megabytes = (memoryMb: number): string => `${memoryMb.toFixed(0)} MB`;
/** Milliseconds of CPU time in each second for one stream. */
const perStream = (report: LoadReport, part: keyof CpuByPart): string => ((1000 * cores(report, part)) / report.streams).toFixed(1);
const perGigabyte = ({ usage }: LoadReport, part: keyof CpuByPart): string => (usage.cpuS[part] / usage.gigabytes).toFixed(2);

const ROWS: [string, (report: LoadReport) => string][] = [
  ['Streams / viewers', ({ streams, viewers }) => `${streams} / ${viewers}`],
  ['Cold start: viewers with a stream', ({ cold }) => success(cold)],
  ['– first byte, s, p50 / p95 / p99', ({ cold }) => quantiles(firstBytes(cold))],
  ['Steady: all viewers together, Mb/s', ({ usage }) => ((usage.gigabytes * 8000) / usage.seconds).toFixed(0)],
  ['– slowest viewer, of real time', ({ usage }) => percent(usage.slowest)],
  ['– behind the engines, s, p50 / p95 / p99', ({ usage }) => quantiles(usage.delaysMs)],
  ['– proxy: one core, CPU s per GB', (report) => `${percent(cores(report, 'proxy'))}, ${perGigabyte(report, 'proxy')}`],
  ['– orchestrator: one core, ms/s per stream', (report) => share(report, 'orchestrator')],
  ['– engines: one core, ms/s per stream', (report) => share(report, 'engines')],
  ['– viewers: one core, CPU s per GB', (report) => `${percent(cores(report, 'viewers'))}, ${perGigabyte(report, 'viewers')}`],
  ['– Docker and everything else: one core', (report) => percent(cores(report, 'rest'))],
  ['– machine: all cores', ({ usage }) => percent(usage.machineBusy)],
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
  ['Largest memory of the proxy', ({ memoryMb }) => megabytes(memoryMb.proxy)],
  ['Largest memory of the orchestrator', ({ memoryMb }) => megabytes(memoryMb.orchestrator)],
  [
    'Docker calls, per provision',
    ({ dockerCalls, provisions }) => {
      const all = Object.values(dockerCalls).reduce((sum, count) => sum + count, 0);
      return `${all}, ${(all / provisions).toFixed(1)}`;
    },
  ],
  ['Duration of the run, s', ({ seconds: all }) => all.toFixed(0)],
];

function share(report: LoadReport, part: keyof CpuByPart): string {
  return `${percent(cores(report, part))}, ${perStream(report, part)}`;
}

/** A Markdown table with one column per level, as docs/load.md has it. */
export function tableOf(reports: readonly LoadReport[]): string {
  return markdown([
    ['', ...reports.map(({ level, megabits }) => `${level}, ${megabits} Mb/s`)],
    ...ROWS.map(([what, show]) => [what, ...reports.map(show)]),
  ]);
}

/**
 * The cores that every level needs at the bit rate of the report, from the costs that the report measured: proxy and viewers per gigabyte,
 * orchestrator and engines per stream.
 */
export function needsOf(report: LoadReport): string {
  const { usage, megabits, streams, viewers } = report;
  const proxyCost = usage.cpuS.proxy / usage.gigabytes;
  const viewerCost = usage.cpuS.viewers / usage.gigabytes;
  const rows = Object.entries(LEVELS).map(([level, levelStreams]) => {
    const levelViewers = (levelStreams * viewers) / streams;
    const gigabytesPerSecond = (levelViewers * megabits) / 8000;
    const [orchestrator, engines] = (['orchestrator', 'engines'] as const).map((part) => (cores(report, part) / streams) * levelStreams);
    const needed = [gigabytesPerSecond * proxyCost, orchestrator, engines, gigabytesPerSecond * viewerCost];
    const sum = needed.reduce((all, each) => all + each, 0);
    return [
      `${level}: ${levelStreams} / ${levelViewers}`,
      gigabytesPerSecond.toFixed(3),
      ...[...needed, sum].map((each) => each.toFixed(2)),
    ];
  });
  return markdown([
    [`Cores at ${megabits} Mb/s: streams / viewers`, 'GB/s', 'Proxy', 'Orchestrator', 'Engines', 'Viewers', 'Sum'],
    ...rows,
  ]);
}

/** How a line of `needsOf` is computed, for the level of the report. */
export function arithmeticOf(report: LoadReport): string {
  const { usage, megabits, streams, viewers } = report;
  const gigabytesPerSecond = (viewers * megabits) / 8000;
  const proxy = `${viewers} viewers × ${megabits} Mb/s ÷ 8,000 = ${gigabytesPerSecond.toFixed(3)} GB/s; × ${perGigabyte(report, 'proxy')} CPU s per GB`;
  const orchestrator = `${streams} streams × ${perStream(report, 'orchestrator')} ms/s ÷ 1,000`;
  const cost = (gigabytesPerSecond * usage.cpuS.proxy) / usage.gigabytes;
  return `${report.level}: proxy ${proxy} = ${cost.toFixed(2)} cores; orchestrator ${orchestrator} = ${cores(report, 'orchestrator').toFixed(2)} cores.`;
}

/** A table with padded columns, as Prettier writes it. */
function markdown(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [line(rows[0]), line(widths.map((width) => '-'.repeat(width))), ...rows.slice(1).map(line)].join('\n');
}

/** The API answers from memory, so it must be faster than the proxy's timeout for one call. */
const API_LIMIT_MS = 3_000;
/** A viewer starts a few seconds behind the engines and must not fall further behind. */
const DELAY_LIMIT_MS = 10_000;

/** What is not as promised, one sentence each; empty if all is well. */
export function shortfalls(report: LoadReport): string[] {
  const all = [report.cold, report.steady, report.churn, report.restart];
  const failed = all.flatMap(({ starts }) => starts.filter(({ firstByteMs }) => firstByteMs === null));
  const interrupted = all.flatMap((phase) => phase.interruptions);
  const p99 = percentile(report.apiMs, 0.99);
  const late = report.usage.delaysMs.filter((delayMs) => delayMs > DELAY_LIMIT_MS);
  const waiting = report.viewers - report.cold.starts.length;
  return [
    ...(waiting > 0 ? [`${waiting} viewers wait for their first byte`] : []),
    ...(late.length > 0 ? [`${late.length} viewers are more than ${DELAY_LIMIT_MS / 1000} s behind the engines`] : []),
    ...(failed.length > 0 ? [`${failed.length} viewers got no stream: ${failed[0].failure}`] : []),
    ...(interrupted.length > 0 ? [`${interrupted.length} interruptions: ${interrupted.slice(0, 5).join('; ')}`] : []),
    ...(p99 > API_LIMIT_MS ? [`p99 of the API calls is ${p99.toFixed(0)} ms, at most ${API_LIMIT_MS} ms expected`] : []),
    ...(report.apiFailures > 0 ? [`${report.apiFailures} API calls had no answer`] : []),
    ...(report.breakerOpenings > 0 ? [`the circuit breaker opened ${report.breakerOpenings} times`] : []),
    ...(report.failedProvisions > 0 ? [`${report.failedProvisions} provisions failed`] : []),
  ];
}
