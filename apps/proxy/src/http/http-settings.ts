import { type ListenAddress, Setting, SettingsGroup, parseOrigins } from '@acexy/service-kit';

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
    help: 'Web origins whose scripts may play from this proxy (`https://tv.example,…`; `*`: all); none by default',
  })
  corsOrigins?: string;

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
