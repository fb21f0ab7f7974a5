import { ALLOWED_HOSTS_SETTING, parseOrigins, Setting, SettingsGroup } from '@acexy/service-kit/settings';

@SettingsGroup('REST API')
export class HttpSettings {
  @Setting({ name: 'APP_PORT', type: 'port', default: '8000', help: 'Port of the REST API' })
  port!: number;

  @Setting({ name: 'APP_HOST', type: 'string', help: 'Address to listen on; all interfaces by default' })
  host?: string;

  @Setting({ name: 'API_KEY', type: 'string', secret: true, help: 'Key for the protected calls' })
  apiKey?: string;

  @Setting({
    name: 'AUTH',
    type: 'choice',
    choices: ['key', 'open'],
    default: 'key',
    help: 'Access to the protected calls: `key`, only with API_KEY; `open`, without a key',
  })
  auth!: 'key' | 'open';

  @Setting({
    name: 'CORS_ORIGINS',
    type: 'string',
    check: parseOrigins,
    help: 'Web origins whose scripts may call the API (`https://tv.example,…`; `*`: all); none by default',
  })
  corsOrigins?: string;

  @Setting(ALLOWED_HOSTS_SETTING)
  allowedHosts?: string;

  @Setting({
    name: 'MAX_CONNECTIONS',
    type: 'integer',
    min: 1,
    max: 1_000_000,
    default: '2000',
    help: 'Maximum connections to the API; further ones are closed at once',
  })
  maxConnections!: number;

  @Setting({
    name: 'API_REQUEST_TIMEOUT_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '30',
    help: 'Timeout of an API call in seconds',
  })
  apiRequestTimeoutMs!: number;

  @Setting({
    name: 'API_LONG_OPERATION_TIMEOUT_S',
    type: 'seconds',
    min: 1,
    max: 3600,
    default: '60',
    help: 'Timeout in seconds of API calls that remove engines',
  })
  apiLongOperationTimeoutMs!: number;
}
