import { resolve } from 'node:path';
import { Setting, SettingsGroup } from '@acexy/service-kit/settings';

@SettingsGroup('Database')
export class DatabaseSettings {
  @Setting({
    name: 'DB_URL',
    type: 'string',
    default: 'sqlite:///./orchestrator.db',
    check: databaseFile,
    help: 'Database file, relative to the working directory of the service',
  })
  dbUrl!: string;
}

/**
 * The absolute path of the file in DB_URL. A relative path follows three slashes, an absolute one four, as in SQLAlchemy.
 * @throws RangeError that says what would be right
 */
export function databaseFile(url: string, folder: string = process.cwd()): string {
  const path = /^sqlite:\/\/\/([^?#]+)$/.exec(url)?.[1];
  if (path === undefined || path === ':memory:' || path.endsWith('/'))
    throw new RangeError('must be sqlite:///./file.db (relative to the folder the service starts in) or sqlite:////absolute/file.db');
  return resolve(folder, path);
}
