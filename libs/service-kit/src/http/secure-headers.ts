import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import helmet, { type HelmetOptions } from 'helmet';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { asError } from '../primitives/coded-error.js';
import { parseOrigins } from './browser-settings.js';

/** Response headers that scripts of other sites may read, when CORS is enabled. */
const EXPOSED = ['ETag', 'Retry-After', 'X-RateLimit-Provisioning-Limit', 'X-RateLimit-Provisioning-Remaining', 'X-Circuit-State'];

/**
 * Sets security headers. CORS is disabled, so that scripts of other sites cannot read answers, unless `origins` (a comma-separated list, or `*`
 * for all) allows them.
 */
export function secureHeaders(app: NestExpressApplication, origins: string | undefined): void {
  app.disable('x-powered-by');
  const headers = headersOf({
    // Both services speak plain HTTP. A reverse proxy with TLS sets these two.
    strictTransportSecurity: false,
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
    ...(origins !== undefined && { crossOriginResourcePolicy: { policy: 'cross-origin' as const } }),
  });
  app.use((_request: Request, response: Response, next: NextFunction) => {
    for (const [name, value] of headers) response.setHeader(name, value);
    next();
  });
  if (origins === undefined) return;
  const list = parseOrigins(origins);
  app.enableCors({ origin: list.includes('*') ? '*' : list, exposedHeaders: EXPOSED, maxAge: 600 });
}

/** The headers of helmet. They are the same for every answer, so they are computed once. */
function headersOf(options: HelmetOptions): [string, string][] {
  const headers = new Map<string, string>();
  const recorder = {
    setHeader: (name: string, value: string) => headers.set(name, value),
    removeHeader: (name: string) => headers.delete(name),
  };
  helmet(options)({} as IncomingMessage, recorder as unknown as ServerResponse, (error) => {
    if (error) throw asError(error);
  });
  return [...headers];
}
