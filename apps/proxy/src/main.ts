import 'reflect-metadata';
import { createLog, logSettingRemarks, runService, settingsOrExit } from '@acexy/service-kit';
import { createApp } from './app/create-app.js';
import { CLOSING_LIMIT_MS } from './app/proxy-lifecycle.js';
import { ServiceSettings } from './app/service-settings.js';
import { PROXY_SETTINGS } from './app/settings.js';
import { AccessSettings, parseTokens } from './http/access-settings.js';
import { HttpSettings } from './http/http-settings.js';
import { SelectionSettings } from './selection/selection-settings.js';

const settings = settingsOrExit(PROXY_SETTINGS);
const { logLevel: level, logFormat: format, drainTimeoutMs } = settings.of(ServiceSettings);
const secrets = [settings.of(SelectionSettings).orchestratorApiKey, ...parseTokens(settings.of(AccessSettings).tokens)];
const log = createLog({ service: 'acexy', level, format, secrets });
logSettingRemarks(settings.remarks, log);
await runService(await createApp(settings, log), {
  listen: settings.of(HttpSettings).listen,
  portSetting: 'ACEXY_LISTEN_ADDR',
  log,
  shutdownLimitMs: drainTimeoutMs + CLOSING_LIMIT_MS,
});
