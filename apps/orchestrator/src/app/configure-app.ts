import {
  Access,
  ACCESS_POLICY,
  type AccessPolicy,
  allowedHosts,
  apiMetrics,
  buildInfo,
  DetailExceptionFilter,
  LimitedExpressAdapter,
  type LoadedSettings,
  type Log,
  secureHeaders,
  versionOf,
} from '@acexy/service-kit';
import { apiDocs, loadSwagger, type OpenAPIObject } from '@acexy/service-kit/openapi';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import type { IncomingMessage } from 'node:http';
import { ProvisioningHeaders } from '../provisioning/provisioning-headers.js';
import { HttpSettings } from '../http/http-settings.js';
import { limitJsonDepth } from '../http/json-depth.js';
import { completeDocument } from './documented-constraints.js';
import { mapError } from './error-mapping.js';

const BODY_LIMIT_BYTES = 1024 * 1024;
/** A report lists all sessions of a proxy: 5,000 sessions of about 3 KB. */
const REPORT_LIMIT_BYTES = 16 * BODY_LIMIT_BYTES;

/** Limit until the headers of a request are complete. The whole request must arrive within API_REQUEST_TIMEOUT_S. */
const HEADERS_LIMIT_MS = 10_000;

/** The HTTP server of the application. */
export function apiServer(settings: LoadedSettings, log: Log): LimitedExpressAdapter {
  const { maxConnections, apiRequestTimeoutMs } = settings.of(HttpSettings);
  return new LimitedExpressAdapter(
    { connections: maxConnections, headersMs: HEADERS_LIMIT_MS, requestMs: apiRequestTimeoutMs },
    log.child('api'),
  );
}

/** Adds everything that is not a module: body parsers, error replies, call metrics, OpenAPI. Create the application with `bodyParser: false`. */
export function configureApp(app: NestExpressApplication, settings: LoadedSettings, log: Log): void {
  app.use(apiMetrics('orch'));
  buildInfo('orch', versionOf(new URL('../../package.json', import.meta.url)));
  const http = settings.of(HttpSettings);
  secureHeaders(app, http.corsOrigins);
  app.use(allowedHosts(http.allowedHosts));
  app.use(ignoreNoCache);
  // Before the body parser, so that the reply to an invalid body has the headers too.
  const provisioningHeaders = app.get(ProvisioningHeaders);
  app.use('/provision', provisioningHeaders.use.bind(provisioningHeaders));
  // Bodies are read only with a valid key: every call with a body is protected, and other clients must not use our memory.
  const access = new Access(app.get<AccessPolicy>(ACCESS_POLICY));
  const isRead = (request: IncomingMessage): boolean => isJson(request) && access.allows(request.headers.authorization);
  app.useBodyParser('json', { limit: REPORT_LIMIT_BYTES, type: (request: IncomingMessage) => isReport(request) && isRead(request) });
  app.useBodyParser('json', { limit: BODY_LIMIT_BYTES, type: (request: IncomingMessage) => !isReport(request) && isRead(request) });
  app.use(limitJsonDepth);
  app.useGlobalFilters(new DetailExceptionFilter(log.child('api'), mapError));
  app.use(apiDocs(log.child('api'), () => openApiDocument(app)));
}

export async function openApiDocument(app: NestExpressApplication): Promise<OpenAPIObject> {
  const { DocumentBuilder, SwaggerModule } = await loadSwagger();
  const about = new DocumentBuilder()
    .setTitle('AceStream orchestrator')
    .setDescription('Starts, monitors, leases and removes AceStream engines')
    .setVersion('1')
    .addBearerAuth()
    .build();
  return completeDocument(SwaggerModule.createDocument(app, about));
}

/**
 * A request with If-None-Match gets 304 when nothing has changed. Express would send the whole body when the request also has `no-cache`, which is
 * meant for caches between client and server and is added by `fetch`.
 */
function ignoreNoCache(request: Request, _response: Response, next: NextFunction): void {
  if (request.headers['if-none-match'] !== undefined) delete request.headers['cache-control'];
  next();
}

function isJson(request: IncomingMessage): boolean {
  return /^application\/(\w+\+)?json\b/i.test(request.headers['content-type'] ?? '');
}

function isReport(request: IncomingMessage): boolean {
  return /^\/proxies\//i.test(request.url ?? '');
}
