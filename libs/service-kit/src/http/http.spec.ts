import 'reflect-metadata';
import { Body, Controller, Get, HttpCode, Module, Post, UseGuards, ValidationPipe } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { IsInt } from 'class-validator';
import { register } from 'prom-client';
import request from 'supertest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../logging/log.js';
import { apiMetrics } from './api-metrics.js';
import { ACCESS_POLICY, BearerGuard } from './bearer.guard.js';
import { DetailExceptionFilter } from './detail-exception.filter.js';

class Thing {
  @IsInt()
  size!: number;
}

class RefusedError extends Error {
  readonly code = 'refused';
}

@Controller()
class SampleController {
  @Get('things/:id')
  one(): string {
    return 'a thing';
  }

  @Post('things')
  @HttpCode(200)
  make(@Body() thing: Thing): Thing {
    return thing;
  }

  @Get('guarded')
  @UseGuards(BearerGuard)
  guarded(): string {
    return 'in';
  }

  @Get('broken')
  broken(): never {
    throw new Error('the secret cause');
  }

  @Get('refused')
  refused(): never {
    throw new RefusedError('no');
  }
}

@Module({ controllers: [SampleController], providers: [{ provide: ACCESS_POLICY, useValue: { apiKey: 'right', open: false } }] })
class SampleModule {}

describe('the HTTP answers of both services', () => {
  let app: NestExpressApplication;
  const logged: string[] = [];

  beforeEach(async () => {
    logged.length = 0;
    const log = createLog({ service: 'sample', level: 'INFO', destination: { write: (line) => logged.push(line) } });
    app = (await Test.createTestingModule({ imports: [SampleModule] }).compile()).createNestApplication<NestExpressApplication>();
    app.use(apiMetrics('sample'));
    app.useGlobalPipes(new ValidationPipe({ transform: true }));
    app.useGlobalFilters(
      new DetailExceptionFilter(log, (error) =>
        error instanceof RefusedError ? { status: 503, detail: { error: error.code }, headers: { 'Retry-After': '7' } } : null,
      ),
    );
    await app.init();
  });
  afterEach(() => app.close());

  it('an invalid field gets 400 with a detail that names it', async () => {
    const { status, body } = await request(app.getHttpServer()).post('/things').send({ size: 'big' });
    expect([status, (body as { detail: string }).detail]).toEqual([400, 'size must be an integer number']);
  });

  it('malformed JSON gets 400', async () => {
    const { status, body } = await request(app.getHttpServer()).post('/things').set('Content-Type', 'application/json').send('{"size":');
    expect(status).toBe(400);
    expect((body as { detail: string }).detail).toContain('JSON');
  });

  it('a known path with another method gets 405 with Allow, an unknown path 404', async () => {
    const wrong = await request(app.getHttpServer()).delete('/things/7');
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'GET, HEAD']);
    expect((await request(app.getHttpServer()).get('/nothing')).status).toBe(404);
  });

  it('the right API key is accepted, a wrong or missing one gets 401', async () => {
    const server = app.getHttpServer();
    expect((await request(server).get('/guarded').set('Authorization', 'Bearer right')).status).toBe(200);
    expect((await request(server).get('/guarded').set('Authorization', 'Bearer wrong')).status).toBe(401);
    const missing = await request(server).get('/guarded');
    expect([missing.status, missing.headers['www-authenticate']]).toEqual([401, 'Bearer']);
  });

  it("a domain error becomes the answer of the service's mapping, with headers and detail", async () => {
    const { status, body, headers } = await request(app.getHttpServer()).get('/refused');
    expect([status, (body as { detail: unknown }).detail, headers['retry-after']]).toEqual([503, { error: 'refused' }, '7']);
  });

  it('an unexpected error appears in the log, and not in the answer', async () => {
    const { status, text } = await request(app.getHttpServer()).get('/broken');
    expect(status).toBe(500);
    expect(text).not.toContain('secret');
    expect(logged.join()).toContain('the secret cause');
  });

  it('requests are counted by the pattern of the route, never by the raw URL', async () => {
    await request(app.getHttpServer()).get('/things/12345');
    const metrics = await register.metrics();
    expect(metrics).toMatch(/sample_api_requests_total\{endpoint="\/things\/:id",method="GET",status="200"\} \d+/);
    expect(metrics).not.toContain('12345');
  });
});
