// Stays in src/: the Nest CLI, Docker and the scripts start dist/main.js.
import 'reflect-metadata';
import { createLog, logSettingRemarks, type LoadedSettings, type Log, NestLog, runService, settingsOrExit } from '@acexy/service-kit';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app/app.module.js';
import { apiServer, configureApp } from './app/configure-app.js';
import { LogSettings } from './app/log-settings.js';
import { HttpSettings } from './http/http-settings.js';
import { ORCHESTRATOR_SETTINGS } from './settings.js';

/** Shorter keys can be guessed: 16 random letters and digits are 96 bits. */
const SHORT_KEY = 16;

const settings = settingsOrExit(ORCHESTRATOR_SETTINGS);
const { logLevel: level, logFormat: format } = settings.of(LogSettings);
const log = createLog({ service: 'orchestrator', level, format, secrets: [settings.of(HttpSettings).apiKey] });
logSettingRemarks(settings.remarks, log);

try {
  await start(settings, log);
} catch (error) {
  // An error with a code is ours and written for the operator; any other error needs its stack.
  const known = error instanceof Error && typeof (error as { code?: unknown }).code === 'string';
  log.error('service start failed', { error: known ? error.message : error });
  process.exitCode = 1;
  setImmediate(() => process.exit());
}

async function start(settings: LoadedSettings, log: Log): Promise<void> {
  const { port, host, apiKey, auth } = settings.of(HttpSettings);
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(settings, log), apiServer(settings, log), {
    logger: new NestLog(log),
    abortOnError: false,
    bodyParser: false,
  });
  configureApp(app, settings, log);
  if (!apiKey && auth === 'key') log.warn('API_KEY not set, protected calls rejected', { advice: 'set API_KEY or AUTH=open' });
  if (apiKey !== undefined && apiKey.length < SHORT_KEY)
    log.warn('API_KEY is too short', { characters: apiKey.length, recommended: SHORT_KEY });
  await runService(app, { listen: { host, port }, portSetting: 'APP_PORT', log });
}
