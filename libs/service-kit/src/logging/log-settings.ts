import type { SettingOptions } from '../settings/setting.js';

const LOG_LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
const LOG_FORMATS = ['json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export const LOG_LEVEL_SETTING: SettingOptions = {
  name: 'LOG_LEVEL',
  type: 'choice',
  choices: LOG_LEVELS,
  default: 'INFO',
  help: 'Minimum log level',
};
export const LOG_FORMAT_SETTING: SettingOptions = {
  name: 'LOG_FORMAT',
  type: 'choice',
  choices: LOG_FORMATS,
  default: 'json',
  help: 'Format of a log line: `json`, one object per line; `text`, for a terminal',
};
