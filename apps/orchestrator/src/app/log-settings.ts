import { LOG_FORMAT_SETTING, LOG_LEVEL_SETTING, type LogFormat, type LogLevel, Setting, SettingsGroup } from '@acexy/service-kit/settings';

@SettingsGroup('Log')
export class LogSettings {
  @Setting(LOG_LEVEL_SETTING)
  logLevel!: LogLevel;

  @Setting(LOG_FORMAT_SETTING)
  logFormat!: LogFormat;
}
