import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { type MetricSet, WorkerMetrics } from './worker-metrics.js';

async function metricsOf(total: number, lag: number): Promise<MetricSet> {
  const registers = [new Registry()];
  new Counter({ name: 'bytes_total', help: 'Bytes', registers }).inc(total);
  new Gauge({ name: 'viewers', help: 'Viewers', registers }).set(total);
  new Gauge({ name: 'lag_max', help: 'Lag', registers, aggregator: 'max' }).set(lag);
  new Gauge({ name: 'nodejs_eventloop_lag_p99_seconds', help: 'Lag', registers, aggregator: 'average' }).set(lag);
  new Gauge({ name: 'process_start_time_seconds', help: 'Start', registers, aggregator: 'omit' }).set(total);
  new Histogram({ name: 'start_seconds', help: 'Start', registers, buckets: [1] }).observe(total);
  return (await registers[0].getMetricsAsJSON()) as unknown as MetricSet;
}

const valuesIn = (text: string, ...names: string[]) => names.map((name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]));

describe('the metrics of all processes', () => {
  it('are the sum of what each counted, and the worst of each delay', async () => {
    const metrics = new WorkerMetrics();
    metrics.answered(0, await metricsOf(10, 0.5));
    metrics.answered(1, await metricsOf(20, 0.1));
    const text = await metrics.merged(await metricsOf(1, 0)).metrics();
    expect(valuesIn(text, 'bytes_total', 'viewers', 'start_seconds_count', 'lag_max', 'nodejs_eventloop_lag_p99_seconds')).toEqual([
      31, 31, 3, 0.5, 0.5,
    ]);
  });

  it('have the start time of the front, by which dashboards list the instances', async () => {
    const metrics = new WorkerMetrics();
    metrics.answered(0, await metricsOf(20, 0));
    expect(valuesIn(await metrics.merged(await metricsOf(10, 0)).metrics(), 'process_start_time_seconds')).toEqual([10]);
  });

  it('keep the totals of a worker that ended, and drop what it had at that moment', async () => {
    const metrics = new WorkerMetrics();
    metrics.answered(0, await metricsOf(10, 0.5));
    await metrics.exited(0);
    metrics.answered(0, await metricsOf(5, 0));
    await metrics.exited(0);
    await metrics.exited(1);
    const text = await metrics.merged([]).metrics();
    expect(valuesIn(text, 'bytes_total', 'start_seconds_count')).toEqual([15, 2]);
    expect(text).not.toContain('viewers');
  });
});
