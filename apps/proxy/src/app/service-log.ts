import { type LoadedSettings, type Log, type LogFields, createLog } from '@acexy/service-kit';
import { AccessSettings, parseTokens } from '../http/access-settings.js';
import { SelectionSettings } from '../selection/selection-settings.js';
import { ServiceSettings } from './service-settings.js';

/** The log of the proxy, without its secrets. @param fields in every line */
export function serviceLog(settings: LoadedSettings, fields: LogFields = {}): Log {
  const { logLevel: level, logFormat: format } = settings.of(ServiceSettings);
  const secrets = [settings.of(SelectionSettings).orchestratorApiKey, ...parseTokens(settings.of(AccessSettings).tokens)];
  return createLog({ service: 'acexy', level, format, fields, secrets });
}
