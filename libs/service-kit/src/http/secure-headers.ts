import type { NestExpressApplication } from '@nestjs/platform-express';
import helmet from 'helmet';

/** What scripts of other sites may read of an answer, where they are let in. */
const EXPOSED = ['ETag', 'Retry-After', 'X-RateLimit-Provisioning-Limit', 'X-RateLimit-Provisioning-Remaining', 'X-Circuit-State'];

/**
 * Headers that tell browsers what not to do with our answers; and no word of CORS, so that scripts of other sites read nothing, unless
 * `origins` (a list with commas, `*` for all) lets them in.
 */
export function secureHeaders(app: NestExpressApplication, origins: string | undefined): void {
  app.disable('x-powered-by');
  app.use(
    helmet({
      // Both services speak plain HTTP; whoever puts TLS in front of them decides on these two.
      strictTransportSecurity: false,
      contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
      ...(origins !== undefined && { crossOriginResourcePolicy: { policy: 'cross-origin' as const } }),
    }),
  );
  if (origins === undefined) return;
  const list = parseOrigins(origins);
  app.enableCors({ origin: list.includes('*') ? '*' : list, exposedHeaders: EXPOSED, maxAge: 600 });
}

/** @throws RangeError that says what would be right */
export function parseOrigins(text: string): string[] {
  const origins = text
    .split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '');
  for (const origin of origins) {
    if (origin !== '*' && (!URL.canParse(origin) || new URL(origin).origin !== origin))
      throw new RangeError('must be origins such as https://tv.example, with commas between them, or *');
  }
  return origins;
}
