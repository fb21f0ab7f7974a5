import { setTimeout as delay } from 'node:timers/promises';

/** The least and the most that is waited before another try, in milliseconds; in between it doubles. */
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 250;

/** Somebody else (a VACUUM by hand, a backup) holds the database just now. TypeORM wraps the driver's error. */
export function isSqliteBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== undefined && (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'));
}

const UNAVAILABLE = /^SQLITE_(BUSY|LOCKED|FULL|READONLY|IOERR|CANTOPEN|CORRUPT|NOTADB)/;

/** The database takes nothing just now, whatever is written: busy beyond all patience, the disk full, read-only, damaged. */
export function isDatabaseUnavailable(error: unknown): boolean {
  return UNAVAILABLE.test(sqliteCode(error) ?? '');
}

/** SQLite's own name of what went wrong, such as `SQLITE_CORRUPT`; undefined for other errors. */
export function sqliteCode(error: unknown): string | undefined {
  const driverError = (error as { driverError?: unknown } | null)?.driverError ?? error;
  const code = (driverError as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : undefined;
}

/**
 * Runs `action` until the database is not busy. The driver itself waits for a few milliseconds only, because it blocks the event loop
 * while it does; the long wait is here. `onBusy` hears of every try that found it busy.
 * @throws the last busy error once `budgetMs` is used up, any other error at once
 */
export async function whileBusyRetry<T>(action: () => Promise<T>, budgetMs: number, onBusy?: () => void): Promise<T> {
  const giveUpAt = performance.now() + budgetMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await action();
    } catch (error) {
      if (!isSqliteBusy(error)) throw error;
      onBusy?.();
      if (performance.now() + pauseMs >= giveUpAt) throw error;
      await delay(pauseMs * (0.5 + Math.random() / 2));
    }
  }
}
