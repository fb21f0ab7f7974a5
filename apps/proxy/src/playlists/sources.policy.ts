/** Which playlists may be fetched, and how this proxy is called by whoever asks. Pure. */

/** The addresses in a setting, comma-separated. @throws RangeError that names the wrong one */
export function parseSources(setting: string): URL[] {
  return setting
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const url = URL.canParse(part) ? new URL(part) : null;
      if (url === null || !/^https?:$/.test(url.protocol))
        throw new RangeError(`must be http(s) URLs separated by commas; "${part}" is none`);
      return url;
    });
}

/** What some servers take for a slash, and so for a way out of the folder. */
const ESCAPED_SLASH = /%2f|%5c/i;

/** `url` is one of the sources, or lies below one that ends with a slash. */
export function isAllowed(url: URL, sources: readonly URL[]): boolean {
  if (url.username !== '' || url.password !== '' || ESCAPED_SLASH.test(url.pathname)) return false;
  return sources.some(({ origin, pathname, search }) => {
    if (url.origin !== origin) return false;
    if (pathname.endsWith('/') && search === '') return url.pathname.startsWith(pathname);
    return url.pathname === pathname && (search === '' || url.search === search);
  });
}

export interface AskedAs {
  readonly protocol: string;
  /** The Host header; undefined for HTTP/1.0. */
  readonly host: string | undefined;
  readonly forwardedProto: string | undefined;
  readonly forwardedHost: string | undefined;
  readonly forwardedPrefix: string | undefined;
  /** Where the connection came in. */
  readonly local: { readonly address: string; readonly port: number };
}

const HOST = /^[a-z0-9._-]+(:\d{1,5})?$|^\[[0-9a-f:.]+\](:\d{1,5})?$/i;
const PREFIX = /^(\/[a-z0-9._~-]+)+$/i;

/** Scheme, host and path before `/ace` by which the viewer reaches this proxy; what is forwarded counts where it makes sense. */
export function baseUrl(asked: AskedAs): string {
  const first = (value: string | undefined): string => (value ?? '').split(',')[0].trim();
  const proto = /^https?$/.test(first(asked.forwardedProto)) ? first(asked.forwardedProto) : asked.protocol;
  const { address, port } = asked.local;
  const own = `${address.includes(':') ? `[${address.replace(/^::ffff:(?=\d+\.)/, '')}]`.replace(/^\[(\d+(?:\.\d+){3})\]$/, '$1') : address}:${port}`;
  const host = [first(asked.forwardedHost), asked.host ?? ''].find((candidate) => HOST.test(candidate)) ?? own;
  const prefix = first(asked.forwardedPrefix).replace(/\/+$/, '');
  return `${proto}://${host}${PREFIX.test(prefix) ? prefix : ''}`;
}
