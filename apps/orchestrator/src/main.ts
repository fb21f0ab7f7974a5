import 'reflect-metadata';
import { createLog, type Log, NestLog, runService, settingsOrExit } from '@acexy/service-kit';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { apiServer, configureApp } from './app/configure-app.js';
import { AppModule } from './app/app.module.js';
import { OrchestratorSettings } from './settings.js';

const settings = settingsOrExit(OrchestratorSettings);
const { logLevel: level, logFormat: format, apiKey } = settings;
const log = createLog({ service: 'orchestrator', level, format, secrets: [apiKey] });

/** 96 bits of random letters and digits. */
const SHORT_KEY = 16;

try {
  await start(settings, log);
} catch (error) {
  // An error with a code is one of ours, made for the operator; another one needs its stack.
  const known = error instanceof Error && typeof (error as { code?: unknown }).code === 'string';
  log.error(known ? `cannot start: ${error.message}` : 'cannot start', known ? {} : { error });
  process.exitCode = 1;
  setImmediate(() => process.exit());
}

async function start(settings: OrchestratorSettings, log: Log): Promise<void> {
  const { port, host, apiKey, auth } = settings;
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(settings, log), apiServer(settings, log), {
    logger: new NestLog(log),
    abortOnError: false,
    bodyParser: false,
  });
  configureApp(app, settings, log);
  if (!apiKey && auth === 'key') log.warn('no API_KEY is set: the protected calls are refused (AUTH=open would let everybody in)');
  if (apiKey !== undefined && apiKey.length < SHORT_KEY)
    log.warn(`API_KEY has ${apiKey.length} characters: a key that cannot be guessed has ${SHORT_KEY} or more`);
  await runService(app, { listen: { host, port }, portSetting: 'APP_PORT', log });
}
