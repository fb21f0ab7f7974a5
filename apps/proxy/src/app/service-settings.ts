import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel, Setting, SettingsGroup } from '@acexy/service-kit';

/** Logs, files and shutdown of the process. */
@SettingsGroup('Service')
export class ServiceSettings {
  @Setting({
    name: 'ACEXY_LOG_LEVEL',
    aliases: ['LOG_LEVEL'],
    type: 'choice',
    choices: LOG_LEVELS,
    default: 'INFO',
    help: 'Minimum log level',
  })
  logLevel!: LogLevel;

  @Setting({
    name: 'LOG_FORMAT',
    type: 'choice',
    choices: LOG_FORMATS,
    default: 'json',
    help: 'Format of a log line: `json`, one object per line; `text`, for a terminal',
  })
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
