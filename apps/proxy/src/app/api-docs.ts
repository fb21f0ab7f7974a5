import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { RequestHandler } from 'express';

/** The page, and everything that it loads. */
const DOCS_PATH = /^\/docs([-/?]|$)/;

@Module({})
class ApiDocsModule {}

/**
 * Express middleware that serves the OpenAPI description at `/docs` and `/docs-json`. Loaded at the first request: Swagger costs a start of the
 * proxy time and memory, and most proxies never show the page.
 */
export function apiDocs(): RequestHandler {
  let docs: Promise<RequestHandler> | undefined;
  return (request, response, next) => {
    if (!DOCS_PATH.test(request.url)) {
      next();
      return;
    }
    docs ??= load();
    docs.then((serve) => serve(request, response, next), next);
  };
}

async function load(): Promise<RequestHandler> {
  const [{ SwaggerModule }, { OPENAPI }] = await Promise.all([import('@nestjs/swagger'), import('./openapi.js')]);
  // Without a logger option, because that would replace the log of the whole process.
  const app = await NestFactory.create<NestExpressApplication>(ApiDocsModule, { bodyParser: false, abortOnError: false });
  SwaggerModule.setup('docs', app, OPENAPI);
  await app.init();
  return app.getHttpAdapter().getInstance() as RequestHandler;
}
