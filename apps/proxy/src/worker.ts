/** A worker process: the whole proxy without a port. The front starts it with the number of workers, tells it which one it is, and gives it connections. */
import 'reflect-metadata';
import { closeOnExit, settingsOrExit } from '@acexy/service-kit';
import { Clock, SystemClock } from '@acexy/service-kit/primitives';
import { AppModule } from './app/app.module.js';
import { createApp } from './app/create-app.js';
import { CLOSING_LIMIT_MS } from './app/proxy-lifecycle.js';
import { serviceLog } from './app/service-log.js';
import { ServiceSettings } from './app/service-settings.js';
import { PROXY_SETTINGS } from './app/settings.js';
import { HlsService } from './hls/hls.service.js';
import { SessionRegistry } from './sessions/session-registry.js';
import { Channel } from './workers/channel.js';
import { FrontSelector } from './workers/front-selector.js';
import { ContentMovedFilter, HandedConnections } from './workers/handed-connections.js';
import { TO_WORKER } from './workers/protocol.js';
import { linkToFront } from './workers/worker-link.js';

const count = Number(process.argv[2]);
const channel = new Channel(process);
// A terminal or a service manager signals all processes of the service: the front tells when to stop.
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => undefined);
// A spare process waits here, and ends when the front does: nothing else keeps it alive.
const index = await new Promise<number>((resolve) => channel.onNotice(TO_WORKER.start, resolve));
// The front has read the settings files.
const settings = settingsOrExit(PROXY_SETTINGS, () => process.env);
const log = serviceLog(settings, { worker: index });
const app = await createApp(
  settings,
  log,
  AppModule.with(settings, log, { selector: new FrontSelector(channel, new SystemClock()), count }),
);
const connections = new HandedConnections(channel);
app.useGlobalFilters(new ContentMovedFilter(connections));
await app.init();
const shutDown = closeOnExit(app, { log, shutdownLimitMs: settings.of(ServiceSettings).drainTimeoutMs + CLOSING_LIMIT_MS });
// The front has ended meanwhile, and nothing would tell this process to stop.
if (!process.connected) shutDown('parent process ended');
linkToFront(channel, {
  server: app.getHttpServer(),
  connections,
  registry: app.get(SessionRegistry),
  hlsStatusOf: (streamId) => app.get(HlsService).statusOf(streamId),
  clock: app.get(Clock),
  stop: () => shutDown('front'),
});
