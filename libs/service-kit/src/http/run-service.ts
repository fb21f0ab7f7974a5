import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Log } from '../logging/log.js';
import {
  type LoadedSettings,
  type SettingsClass,
  type SettingsDefinition,
  SettingsError,
  loadAllSettings,
  loadSettings,
  readEnvironment,
} from '../settings/load-settings.js';

export interface RunOptions {
  listen: { host?: string; port: number };
  /** How the setting of the port is called, for the message when it is taken. */
  portSetting: string;
  log: Log;
  /** Milliseconds that the shutdown hooks may take; then the process ends all the same. */
  shutdownLimitMs?: number;
}

const DEFAULT_SHUTDOWN_LIMIT_MS = 10_000;
const EXIT_INTERRUPTED = 130;
/** EX_CONFIG of sysexits.h: a supervisor need not try again. */
export const EXIT_CONFIG = 78;

/** Loads the settings of a service from its environment and `.env` file. If some are wrong, prints all faults and ends the process with 78. */
export function settingsOrExit(definition: SettingsDefinition): LoadedSettings;
export function settingsOrExit<T extends object>(group: SettingsClass<T>): T;
export function settingsOrExit(definition: SettingsDefinition | SettingsClass): object {
  try {
    return 'groups' in definition ? loadAllSettings(definition, readEnvironment()) : loadSettings(definition, readEnvironment());
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(EXIT_CONFIG);
  }
}

/**
 * Listens, and owns the end of the process: the first SIGTERM or SIGINT closes the application within a limit, a second one ends it at once.
 * An error nobody caught is logged and ends the process with 1 (its supervisor starts it anew), because its state is no longer known.
 */
export async function runService(app: NestExpressApplication, options: RunOptions): Promise<void> {
  const { log, listen } = options;
  let closing = false;
  const close = (signal: string): void => {
    if (closing) {
      log.warn('interrupted again, ending at once', { signal });
      process.exit(EXIT_INTERRUPTED);
    }
    closing = true;
    log.info('shutting down', { signal });
    const limit = setTimeout(() => {
      log.error('shutdown took too long, ending at once', { limit_ms: options.shutdownLimitMs ?? DEFAULT_SHUTDOWN_LIMIT_MS });
      process.exit(1);
    }, options.shutdownLimitMs ?? DEFAULT_SHUTDOWN_LIMIT_MS);
    limit.unref();
    app.close().then(
      () => {
        log.info('ended');
        process.exit(0);
      },
      (error: unknown) => {
        log.error('shutdown failed', { error });
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', close);
  process.on('SIGINT', close);
  // Started by a supervisor with a channel: without it nobody would ever stop this process.
  if (process.connected) process.once('disconnect', () => close('supervisor gone'));
  process.on('unhandledRejection', (error) => log.error('a promise was rejected and nobody caught it', { error }));
  process.on('uncaughtException', (error) => {
    log.error('uncaught exception, ending', { error });
    process.exit(1);
  });
  try {
    await (listen.host ? app.listen(listen.port, listen.host) : app.listen(listen.port));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    log.error(`port ${listen.port} is taken by another program: stop it, or choose another port with ${options.portSetting}`);
    process.exit(1);
  }
  // A supervisor must know that it is this process that answers on the port, and not another program.
  if (process.connected) process.send?.('listening');
  log.info('listening', { port: listen.port });
}
