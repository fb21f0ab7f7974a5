import { Setting, SettingsGroup } from '@acexy/service-kit';
import { databaseFile } from './database-url.js';

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
