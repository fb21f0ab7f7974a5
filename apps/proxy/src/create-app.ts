import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DetailExceptionFilter, type Log, NestLog, apiMetrics } from '@acexy/service-kit';
import { AppModule } from './app.module.js';
import { playbackErrorReply } from './playback/error-reply.js';
import type { ProxySettings } from './settings.js';

/** The proxy, ready to listen. */
export async function createApp(settings: ProxySettings, log: Log): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(settings, log), {
    logger: new NestLog(log),
    bodyParser: false,
    forceCloseConnections: true,
  });
  app.disable('x-powered-by');
  // A stream lasts as long as it is watched.
  app.use(apiMetrics('acexy', (route) => route.startsWith('/ace/getstream')));
  app.useGlobalFilters(new DetailExceptionFilter(log.child('http'), playbackErrorReply));
  return app;
}
