import { LOG_FORMAT_SETTING, LOG_LEVEL_SETTING, type LogFormat, type LogLevel, Setting, SettingsGroup } from '@acexy/service-kit/settings';

/** Logs, files and shutdown of the process. */
@SettingsGroup('Service')
export class ServiceSettings {
  @Setting({ ...LOG_LEVEL_SETTING, name: 'ACEXY_LOG_LEVEL', aliases: ['LOG_LEVEL'] })
  logLevel!: LogLevel;

  @Setting(LOG_FORMAT_SETTING)
  logFormat!: LogFormat;

  @Setting({
    name: 'ACEXY_DATA_DIR',
    aliases: ['DATA_DIR'],
    type: 'string',
    default: './data',
    help: 'Folder for the id under which the orchestrator knows this proxy',
  })
  dataDir!: string;

  @Setting({
    name: 'ACEXY_DRAIN_TIMEOUT',
    type: 'duration',
    default: '5s',
    max: '24h',
    help: 'Time that current viewers may continue to watch after SIGTERM, while new ones are rejected; 0: they end at once',
  })
  drainTimeoutMs!: number;
}
