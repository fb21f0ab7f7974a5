import { describe, expect, it } from 'vitest';
import type { LoadReport, Phase } from './load.js';
import { arithmeticOf, needsOf, shortfalls, tableOf } from './load-report.js';

const started = (count: number, firstByteMs: number | null = 1000): Phase => ({
  starts: Array.from({ length: count }, () => ({ firstByteMs, refusals: 0, failure: firstByteMs === null ? 'status 500' : null })),
  interruptions: [],
});

/** 10 streams with 2 viewers each for 20 s: 0.175 GB, of which the proxy needed 1.5 s per GB. */
function report(changed: Partial<LoadReport> = {}): LoadReport {
  return {
    level: 'light',
    megabits: 3.5,
    streams: 10,
    viewers: 20,
    cold: started(20),
    steady: started(0),
    churn: started(20),
    restart: started(2),
    usage: {
      seconds: 20,
      cpuS: { proxy: 0.2625, orchestrator: 0.2, engines: 1, viewers: 0.175, rest: 0.5 },
      machineBusy: 0.05,
      gigabytes: 0.175,
      slowest: 0.995,
      delaysMs: Array.from({ length: 20 }, (_, index) => 400 + index * 10),
    },
    apiMs: [3, 4, 5],
    apiFailures: 0,
    restartMs: 1700,
    mostEngines: 15,
    provisions: 16,
    failedProvisions: 0,
    breakerOpenings: 0,
    memoryMb: { proxy: 210, orchestrator: 150 },
    dockerCalls: { 'GET /containers/json': 64, 'POST /containers/create': 16 },
    seconds: 94,
    machine: 'a machine',
    ...changed,
  };
}

describe('the report of a load test', () => {
  it('has one column per level with the costs of the steady phase', () => {
    const lines = tableOf([report(), report({ level: 'medium' })]).split('\n');
    expect(lines[0].split('|').map((cell) => cell.trim())).toEqual(['', '', 'light, 3.5 Mb/s', 'medium, 3.5 Mb/s', '']);
    const cells = new Map(lines.map((line) => line.split('|').map((cell) => cell.trim())).map(([, what, value]) => [what, value]));
    expect(Object.fromEntries(cells)).toMatchObject({
      'Streams / viewers': '10 / 20',
      'Steady: all viewers together, Mb/s': '70',
      '– slowest viewer, of real time': '100 %',
      '– proxy: one core, CPU s per GB': '1.3 %, 1.50',
      '– orchestrator: one core, ms/s per stream': '1.0 %, 1.0',
      '– engines: one core, ms/s per stream': '5.0 %, 5.0',
      'Largest memory of the proxy': '210 MB',
    });
  });

  it('can be pasted: all lines of a table have the same length', () => {
    expect(
      new Set(
        tableOf([report()])
          .split('\n')
          .map((line) => line.length),
      ).size,
    ).toBe(1);
  });

  it('computes the cores of every level from the costs per gigabyte and per stream', () => {
    const [, , , , high] = needsOf(report({ megabits: 3.5 })).split('\n');
    // 200 viewers x 3.5 Mb/s = 0.0875 GB/s.
    expect(high.split('|').map((cell) => cell.trim())).toEqual([
      '',
      'high: 100 / 200',
      '0.087',
      '0.13',
      '0.10',
      '0.50',
      '0.09',
      '0.82',
      '',
    ]);
  });
});

it('shows the arithmetic of its own level', () => {
  expect(arithmeticOf(report())).toBe(
    'light: proxy 20 viewers × 3.5 Mb/s ÷ 8,000 = 0.009 GB/s; × 1.50 CPU s per GB = 0.01 cores; orchestrator 10 streams × 1.0 ms/s ÷ 1,000 = 0.01 cores.',
  );
});

describe('the promises of a load test', () => {
  it('are kept when every viewer has its stream in real time', () => {
    expect(shortfalls(report())).toEqual([]);
  });

  it.each<[string, Partial<LoadReport>]>([
    ['3 viewers wait for their first byte', { cold: started(17) }],
    ['2 viewers got no stream: status 500', { churn: started(2, null) }],
    ['1 interruptions: 000001: the stream ended', { steady: { starts: [], interruptions: ['000001: the stream ended'] } }],
    ['1 viewers are more than 10 s behind the engines', { usage: { ...report().usage, delaysMs: [400, 10_001] } }],
    ['p99 of the API calls is 4000 ms, at most 3000 ms expected', { apiMs: [1, 4000] }],
    ['2 API calls had no answer', { apiFailures: 2 }],
    ['the circuit breaker opened 1 times', { breakerOpenings: 1 }],
    ['1 provisions failed', { failedProvisions: 1 }],
  ])('are broken if %s', (shortfall, changed) => {
    expect(shortfalls(report(changed))).toEqual([shortfall]);
  });
});
