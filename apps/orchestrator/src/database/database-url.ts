import { resolve } from 'node:path';

/** What DB_URL must look like, for the message of a settings fault. */
export const DATABASE_URL_RULE =
  'must be sqlite:///./file.db (relative to the folder the service starts in) or sqlite:////absolute/file.db';

/**
 * The file that DB_URL names, absolute. Three slashes are followed by a relative path and four by an absolute one, as SQLAlchemy has it.
 * @throws RangeError with DATABASE_URL_RULE
 */
export function databaseFile(url: string, folder: string = process.cwd()): string {
  const path = /^sqlite:\/\/\/([^?#]+)$/.exec(url)?.[1];
  if (path === undefined || path === ':memory:' || path.endsWith('/')) throw new RangeError(DATABASE_URL_RULE);
  return resolve(folder, path);
}
