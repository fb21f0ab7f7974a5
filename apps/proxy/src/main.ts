import 'reflect-metadata';
import { logSettingRemarks, runService, settingsOrExit } from '@acexy/service-kit';
import { createApp } from './app/create-app.js';
import { CLOSING_LIMIT_MS } from './app/proxy-lifecycle.js';
import { serviceLog } from './app/service-log.js';
import { ServiceSettings } from './app/service-settings.js';
import { PROXY_SETTINGS } from './app/settings.js';
import { HttpSettings } from './http/http-settings.js';
import { WorkerSettings, workerCount } from './workers/worker-settings.js';

const settings = settingsOrExit(PROXY_SETTINGS);
const log = serviceLog(settings);
logSettingRemarks(settings.remarks, log);
const workers = workerCount(settings.of(WorkerSettings));
// One worker needs no front.
const proxy =
  workers === 1 ? createApp(settings, log) : import('./app/create-front.js').then((front) => front.createFront(settings, log, workers));
await runService(await proxy, {
  listen: settings.of(HttpSettings).listen,
  portSetting: 'ACEXY_LISTEN_ADDR',
  log,
  shutdownLimitMs: settings.of(ServiceSettings).drainTimeoutMs + CLOSING_LIMIT_MS,
});
