import 'reflect-metadata';
import { createLog, runService, settingsOrExit } from '@acexy/service-kit';
import { parseTokens } from './http/viewer-tokens.js';
import { createApp } from './app/create-app.js';
import { CLOSING_LIMIT_MS } from './app/proxy-lifecycle.js';
import { ProxySettings } from './settings.js';

const settings = settingsOrExit(ProxySettings);
const { logLevel: level, logFormat: format, orchestratorApiKey, tokens = '' } = settings;
const log = createLog({ service: 'acexy', level, format, secrets: [orchestratorApiKey, ...parseTokens(tokens)] });
await runService(await createApp(settings, log), {
  listen: settings.listen,
  portSetting: 'ACEXY_LISTEN_ADDR',
  log,
  shutdownLimitMs: settings.drainTimeoutMs + CLOSING_LIMIT_MS,
});
