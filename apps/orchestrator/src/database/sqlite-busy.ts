import { backoffMs, withJitter } from '@acexy/service-kit/primitives';
import { setTimeout as delay } from 'node:timers/promises';

const BACKOFF = { firstMs: 5, longestMs: 250 };

/** Another process has locked the database, for example a VACUUM or a backup. TypeORM wraps the driver's error. */
export function isSqliteBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== undefined && (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'));
}

const UNAVAILABLE = /^SQLITE_(BUSY|LOCKED|FULL|READONLY|IOERR|CANTOPEN|CORRUPT|NOTADB)/;

/** The database accepts no writes at all: locked for too long, disk full, read-only or damaged. */
export function isDatabaseUnavailable(error: unknown): boolean {
  return UNAVAILABLE.test(sqliteCode(error) ?? '');
}

/** SQLite's error code, such as `SQLITE_CORRUPT`; undefined for other errors. */
export function sqliteCode(error: unknown): string | undefined {
  const driverError = (error as { driverError?: unknown } | null)?.driverError ?? error;
  const code = (driverError as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : undefined;
}

/**
 * Retries `action` while the database is locked. The driver itself waits only a few milliseconds, because it blocks the event loop meanwhile.
 * @param onBusy called for every attempt that found the database locked
 * @throws the last busy error when `budgetMs` is used up, any other error at once
 */
export async function whileBusyRetry<T>(action: () => Promise<T>, budgetMs: number, onBusy?: () => void): Promise<T> {
  const giveUpAt = performance.now() + budgetMs;
  for (let failures = 1; ; failures++) {
    try {
      return await action();
    } catch (error) {
      if (!isSqliteBusy(error)) throw error;
      onBusy?.();
      const delayMs = backoffMs(failures, BACKOFF);
      if (performance.now() + delayMs >= giveUpAt) throw error;
      await delay(withJitter(delayMs));
    }
  }
}
