import type { Log } from '../logging/log.js';
import { MAX_TIMER_MS } from '../primitives/index.js';
import {
  type Environment,
  EXIT_CONFIG,
  type LoadedSettings,
  type SettingsDefinition,
  SettingsError,
  loadAllSettings,
  readEnvironment,
} from '../settings/load-settings.js';

/** A Nest application, or another server. */
export interface RunnableService {
  listen(port: number, host?: string): Promise<unknown>;
  close(): Promise<unknown>;
}

export interface RunOptions {
  listen: { host?: string; port: number };
  /** Name of the port's setting, for the log when the port is in use. */
  portSetting: string;
  log: Log;
  /** Milliseconds for the shutdown hooks. After that the process exits with 1. */
  shutdownLimitMs?: number;
}

const DEFAULT_SHUTDOWN_LIMIT_MS = 10_000;
const EXIT_INTERRUPTED = 130;

/** Loads the settings of a service. If some are invalid, prints all faults and exits with 78. @param read default: the environment and the `.env` file */
export function settingsOrExit(definition: SettingsDefinition, read: () => Environment = readEnvironment): LoadedSettings {
  try {
    return loadAllSettings(definition, read());
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(EXIT_CONFIG);
  }
}

/**
 * Controls the end of the process. An uncaught exception exits with 1 at once, because the state of the process is unknown; the supervisor then starts
 * the service again. An unhandled rejection is only logged: it ends one operation, and a restart would end the streams of every viewer. When the parent
 * process ends, the service shuts down: nothing else would ever stop it.
 * @returns shuts down: closes the application within a limit and exits with 0; a second call exits at once
 */
export function closeOnExit(
  app: Pick<RunnableService, 'close'>,
  { log, shutdownLimitMs = DEFAULT_SHUTDOWN_LIMIT_MS }: Pick<RunOptions, 'log' | 'shutdownLimitMs'>,
): (signal: string) => void {
  let closing = false;
  const close = async (): Promise<void> => {
    closing = true;
    const limit = setTimeout(
      () => {
        log.error('shutdown timed out', { limit_ms: shutdownLimitMs });
        process.exit(1);
      },
      Math.min(shutdownLimitMs, MAX_TIMER_MS),
    );
    limit.unref();
    try {
      await app.close();
    } catch (error) {
      log.error('shutdown failed', { error });
      return process.exit(1);
    }
    log.info('stopped');
    process.exit(0);
  };
  const onSignal = (signal: string): void => {
    if (closing) {
      log.warn('second signal, exiting at once', { signal });
      process.exit(EXIT_INTERRUPTED);
    }
    log.info('shutting down', { signal });
    void close();
  };
  if (process.connected) process.once('disconnect', () => onSignal('parent process ended'));
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error }));
  process.on('uncaughtException', (error) => {
    log.error('uncaught exception, exiting', { error });
    process.exit(1);
  });
  return onSignal;
}

/** Listens until the first SIGTERM or SIGINT, which shuts down as in {@link closeOnExit}. */
export async function runService(app: RunnableService, options: RunOptions): Promise<void> {
  const { log, listen, portSetting } = options;
  const onSignal = closeOnExit(app, options);
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  try {
    await (listen.host ? app.listen(listen.port, listen.host) : app.listen(listen.port));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    log.error('port in use by another program', { port: listen.port, advice: `stop that program or change ${portSetting}` });
    process.exit(1);
  }
  // Tells the supervisor that this process listens on the port, and not another program.
  if (process.connected) process.send?.('listening');
  log.info('listening', { port: listen.port });
}
