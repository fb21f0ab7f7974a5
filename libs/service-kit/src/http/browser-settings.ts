/** Settings about web browsers that both services have. */
import { splitList } from '../primitives/json.js';
import type { SettingOptions } from '../settings/setting.js';

/** The setting of both services. */
export const ALLOWED_HOSTS_SETTING: SettingOptions = {
  name: 'ALLOWED_HOSTS',
  type: 'string',
  check: parseHosts,
  help: 'Host names under which web browsers may use the service (`tv.example.org,…`; `*`: all), in addition to IP addresses, `localhost`, names without a dot, and names in `.local`, `.lan`, `.home.arpa` and `.internal`',
};

/** @throws RangeError that says what is valid */
export function parseHosts(text: string): string[] {
  const hosts = splitList(text).map((host) => host.toLowerCase());
  for (const host of hosts) {
    if (host !== '*' && (!URL.canParse(`http://${host}`) || new URL(`http://${host}`).hostname !== host))
      throw new RangeError('must be host names such as tv.example.org, without scheme and port, separated by commas, or *');
  }
  return hosts;
}

/** @throws RangeError that says what is valid */
export function parseOrigins(text: string): string[] {
  const origins = splitList(text);
  for (const origin of origins) {
    if (origin !== '*' && (!URL.canParse(origin) || new URL(origin).origin !== origin))
      throw new RangeError('must be origins such as https://tv.example, separated by commas, or *');
  }
  return origins;
}
