import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type LoadedSettings, type Log, RefusedConnections, readEnvironment } from '@acexy/service-kit';
import { HttpSettings } from '../http/http-settings.js';
import { Front } from '../workers/front.js';
import { WorkerFleet } from '../workers/worker-fleet.js';
import { WorkerSessions } from '../workers/worker-sessions.js';
import { WorkerStarter } from '../workers/worker-starter.js';
import { HEADERS_LIMIT_MS, createApp } from './create-app.js';
import { FrontModule } from './front.module.js';

const WORKER_ENTRY = fileURLToPath(new URL('../worker.js', import.meta.url));
/** Options of this process that workers must not have: the debugger's port is in use, and a watcher restarts the whole. */
const OWN_OPTIONS = ['--inspect', '--watch'];

/** The proxy as a front with `count` workers. */
export async function createFront(settings: LoadedSettings, log: Log, count: number): Promise<Front> {
  const app = await createApp(settings, log, FrontModule.with(settings, log, count, workerStarter(count, log)));
  const { maxConnections } = settings.of(HttpSettings);
  const http = log.child('http');
  const limits = { connections: maxConnections, headersMs: HEADERS_LIMIT_MS };
  return new Front(app, app.get(WorkerFleet), app.get(WorkerSessions), limits, new RefusedConnections(maxConnections, http), http);
}

/** Every worker, also one that is started later, gets the settings of this moment. */
function workerStarter(count: number, log: Log): WorkerStarter {
  const env = readEnvironment() as NodeJS.ProcessEnv;
  const execArgv = process.execArgv.filter((option) => !OWN_OPTIONS.some((own) => option.startsWith(own)));
  return new WorkerStarter(() => fork(WORKER_ENTRY, [String(count)], { env, execArgv }), log.child('workers'));
}
