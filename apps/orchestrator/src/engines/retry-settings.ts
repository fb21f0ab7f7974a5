import { Setting, SettingsGroup } from '@acexy/service-kit/settings';

@SettingsGroup('Retries')
export class RetrySettings {
  @Setting({
    name: 'MAX_RETRIES',
    type: 'integer',
    min: 0,
    max: 100,
    default: '3',
    help: 'Maximum retries of a failed call to an engine, Gluetun or Docker; after the last one, the next call follows at the regular interval',
  })
  maxRetries!: number;

  @Setting({
    name: 'RETRY_BACKOFF_S',
    type: 'seconds',
    max: 600,
    default: '2',
    help: 'Seconds before the first retry of a failed call; doubled before each further retry',
  })
  retryBackoffMs!: number;
}
