import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import {
  DetailExceptionFilter,
  LimitedExpressAdapter,
  type LoadedSettings,
  type Log,
  NestLog,
  SecretSet,
  allowedHosts,
  apiMetrics,
  buildInfo,
  secureHeaders,
  versionOf,
} from '@acexy/service-kit';
import { apiDocs } from '@acexy/service-kit/openapi';
import { viewerAccess } from '../http/access.middleware.js';
import { cleanRequestTarget } from '../http/request-target.js';
import { AppModule } from './app.module.js';
import { playbackErrorReply } from './error-reply.js';
import { AccessSettings, parseTokens } from '../http/access-settings.js';
import { HttpSettings } from '../http/http-settings.js';

/** Limits for receiving the headers, and the whole request: requests of viewers have no body. */
export const HEADERS_LIMIT_MS = 10_000;
const REQUEST_LIMIT_MS = 30_000;

/** Creates the proxy, or the part of it in `module`; the caller starts listening. */
export async function createApp(
  settings: LoadedSettings,
  log: Log,
  module: DynamicModule = AppModule.with(settings, log),
): Promise<NestExpressApplication> {
  const { maxConnections, corsOrigins, allowedHosts: hosts } = settings.of(HttpSettings);
  const limits = { connections: maxConnections, headersMs: HEADERS_LIMIT_MS, requestMs: REQUEST_LIMIT_MS };
  const server = new LimitedExpressAdapter(limits, log.child('http'));
  const app = await NestFactory.create<NestExpressApplication>(module, server, {
    logger: new NestLog(log),
    bodyParser: false,
    forceCloseConnections: true,
  });
  app.use(cleanRequestTarget);
  // The duration of a stream request is the time that somebody watched, not a response time.
  app.use(apiMetrics('acexy', (route) => route.startsWith('/ace/getstream')));
  buildInfo('acexy', versionOf(new URL('../../package.json', import.meta.url)));
  secureHeaders(app, corsOrigins);
  app.use(allowedHosts(hosts));
  app.use(apiDocs(log.child('http'), async () => (await import('./openapi.js')).OPENAPI));
  app.use(viewerAccess(new SecretSet(parseTokens(settings.of(AccessSettings).tokens))));
  app.useGlobalFilters(new DetailExceptionFilter(log.child('http'), playbackErrorReply));
  return app;
}
