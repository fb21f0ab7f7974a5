import type { NestExpressApplication } from '@nestjs/platform-express';
import helmet from 'helmet';
import { splitList } from '../primitives/json.js';

/** Response headers that scripts of other sites may read, when CORS is enabled. */
const EXPOSED = ['ETag', 'Retry-After', 'X-RateLimit-Provisioning-Limit', 'X-RateLimit-Provisioning-Remaining', 'X-Circuit-State'];

/**
 * Sets security headers. CORS is disabled, so that scripts of other sites cannot read answers, unless `origins` (a comma-separated list, or `*`
 * for all) allows them.
 */
export function secureHeaders(app: NestExpressApplication, origins: string | undefined): void {
  app.disable('x-powered-by');
  app.use(
    helmet({
      // Both services speak plain HTTP. A reverse proxy with TLS sets these two.
      strictTransportSecurity: false,
      contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
      ...(origins !== undefined && { crossOriginResourcePolicy: { policy: 'cross-origin' as const } }),
    }),
  );
  if (origins === undefined) return;
  const list = parseOrigins(origins);
  app.enableCors({ origin: list.includes('*') ? '*' : list, exposedHeaders: EXPOSED, maxAge: 600 });
}

/** @throws RangeError that says what is valid */
export function parseOrigins(text: string): string[] {
  const origins = splitList(text);
  for (const origin of origins) {
    if (origin !== '*' && (!URL.canParse(origin) || new URL(origin).origin !== origin))
      throw new RangeError('must be origins such as https://tv.example, separated by commas, or *');
  }
  return origins;
}
