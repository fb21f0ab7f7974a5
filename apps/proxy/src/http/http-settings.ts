import { ALLOWED_HOSTS_SETTING, type ListenAddress, Setting, SettingsGroup, parseOrigins } from '@acexy/service-kit/settings';

/** The origins of ACEXY_MEDIA_CORS_ORIGINS. @throws RangeError that says what is valid */
export function parseMediaOrigins(text: string): string[] {
  return text === 'none' ? [] : parseOrigins(text);
}

/** Where and how viewers connect. */
@SettingsGroup('HTTP')
export class HttpSettings {
  @Setting({
    name: 'ACEXY_LISTEN_ADDR',
    aliases: ['ACEXY_ADDR'],
    type: 'address',
    default: ':8080',
    help: 'Address and port that viewers connect to',
  })
  listen!: ListenAddress;

  @Setting({
    name: 'ACEXY_CORS_ORIGINS',
    type: 'string',
    check: parseOrigins,
    help: 'Web origins whose scripts may read every answer of this proxy, such as its status (`https://tv.example,…`; `*`: all); none by default',
  })
  corsOrigins?: string;

  @Setting({
    name: 'ACEXY_MEDIA_CORS_ORIGINS',
    type: 'string',
    default: '*',
    check: parseMediaOrigins,
    help: 'Web origins whose scripts may read streams, HLS and lists of channels, in addition to ACEXY_CORS_ORIGINS (`https://tv.example,…`; `*`: all; `none`)',
  })
  mediaCorsOrigins!: string;

  @Setting(ALLOWED_HOSTS_SETTING)
  allowedHosts?: string;

  @Setting({
    name: 'ACEXY_MAX_CONNECTIONS',
    type: 'integer',
    min: 1,
    max: 1_000_000,
    default: '10000',
    help: 'Maximum number of simultaneous connections, one per viewer; further ones are closed at once',
  })
  maxConnections!: number;
}
