import { resolve } from 'node:path';

/** For the error message of a wrong DB_URL. */
export const DATABASE_URL_RULE =
  'must be sqlite:///./file.db (relative to the folder the service starts in) or sqlite:////absolute/file.db';

/**
 * The absolute path of the file in DB_URL. A relative path follows three slashes, an absolute one four, as in SQLAlchemy.
 * @throws RangeError with DATABASE_URL_RULE
 */
export function databaseFile(url: string, folder: string = process.cwd()): string {
  const path = /^sqlite:\/\/\/([^?#]+)$/.exec(url)?.[1];
  if (path === undefined || path === ':memory:' || path.endsWith('/')) throw new RangeError(DATABASE_URL_RULE);
  return resolve(folder, path);
}
