import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel, Setting, SettingsGroup } from '@acexy/service-kit';

@SettingsGroup('Log')
export class LogSettings {
  @Setting({ name: 'LOG_LEVEL', type: 'choice', choices: LOG_LEVELS, default: 'INFO', help: 'Minimum log level' })
  logLevel!: LogLevel;

  @Setting({
    name: 'LOG_FORMAT',
    type: 'choice',
    choices: LOG_FORMATS,
    default: 'json',
    help: '`json`: one object per line; `text`: for a terminal',
  })
  logFormat!: LogFormat;
}
