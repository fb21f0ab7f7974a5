import type { NextFunction, Request, Response } from 'express';
import { Counter, Histogram } from 'prom-client';
import { metric } from '../metrics/metric.js';

/** Seconds; from an answer out of memory to a long operation. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/**
 * Express middleware that counts and times every request under the route's pattern, never the raw URL:
 * `<prefix>_api_requests_total{endpoint,method,status}` and `<prefix>_api_duration_seconds{endpoint,method}`.
 * Endless answers (`skip`) are counted but not timed.
 */
export function apiMetrics(prefix: string, skip: (route: string) => boolean = () => false) {
  const requests = metric(
    `${prefix}_api_requests_total`,
    (name) => new Counter({ name, help: 'Requests answered', labelNames: ['endpoint', 'method', 'status'] }),
  );
  const duration = metric(
    `${prefix}_api_duration_seconds`,
    (name) => new Histogram({ name, help: 'Time to answer a request', labelNames: ['endpoint', 'method'], buckets: BUCKETS }),
  );
  return (request: Request, response: Response, next: NextFunction): void => {
    const started = process.hrtime.bigint();
    response.once('close', () => {
      const endpoint = (request.route as { path?: string } | undefined)?.path ?? 'unmatched';
      const method = request.method;
      requests.inc({ endpoint, method, status: String(response.statusCode) });
      if (!skip(endpoint)) duration.observe({ endpoint, method }, Number(process.hrtime.bigint() - started) / 1e9);
    });
    next();
  };
}
