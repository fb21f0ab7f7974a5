import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { RequestHandler } from 'express';
import { DetailExceptionFilter } from '../http/detail-exception.filter.js';
import type { Log } from '../logging/log.js';
import { loadSwagger } from './decorators.js';

/** The page, and everything that it loads. */
const DOCS_PATH = /^\/docs([-/?]|$)/;

@Module({})
class ApiDocsModule {}

/**
 * Express middleware that serves the OpenAPI description at `/docs` and `/docs-json`. Swagger is loaded at the first request.
 * @param describe makes the description
 */
export function apiDocs(log: Log, describe: () => Promise<OpenAPIObject>): RequestHandler {
  let docs: Promise<RequestHandler> | undefined;
  return (request, response, next) => {
    if (!DOCS_PATH.test(request.url)) {
      next();
      return;
    }
    docs ??= load(log, describe);
    docs.then((serve) => serve(request, response, next), next);
  };
}

async function load(log: Log, describe: () => Promise<OpenAPIObject>): Promise<RequestHandler> {
  const [{ SwaggerModule }, document] = await Promise.all([loadSwagger(), describe()]);
  // Without a logger option, because that would replace the log of the whole process.
  const app = await NestFactory.create<NestExpressApplication>(ApiDocsModule, { bodyParser: false, abortOnError: false });
  app.disable('x-powered-by');
  app.useGlobalFilters(new DetailExceptionFilter(log));
  SwaggerModule.setup('docs', app, document);
  await app.init();
  return app.getHttpAdapter().getInstance() as RequestHandler;
}
