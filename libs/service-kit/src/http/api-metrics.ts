import type { NextFunction, Request, Response } from 'express';
import { counterOf, histogramOf } from '../metrics/metric.js';

/** In seconds, from a reply out of memory to a long operation. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/**
 * Express middleware that counts and times every request by the pattern of its route, never by its raw URL:
 * `<prefix>_api_requests_total{endpoint,method,status}` and `<prefix>_api_duration_seconds{endpoint,method}`.
 * @param skip routes whose requests are counted but not timed, because their replies are endless
 */
export function apiMetrics(prefix: string, skip: (route: string) => boolean = () => false) {
  const requests = counterOf(`${prefix}_api_requests_total`, 'API requests', ['endpoint', 'method', 'status']);
  const duration = histogramOf(`${prefix}_api_duration_seconds`, 'Duration of API requests in seconds', BUCKETS, ['endpoint', 'method']);
  return (request: Request, response: Response, next: NextFunction): void => {
    const started = performance.now();
    response.once('close', () => {
      const endpoint = (request.route as { path?: string } | undefined)?.path ?? 'unmatched';
      const method = request.method;
      requests.inc({ endpoint, method, status: String(response.statusCode) });
      if (!skip(endpoint)) duration.observe({ endpoint, method }, (performance.now() - started) / 1000);
    });
    next();
  };
}
