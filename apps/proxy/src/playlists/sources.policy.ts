/** Decides which playlists may be downloaded, and by which base URL a client reaches this proxy. */
import { splitList, withoutSlashesAtEnd } from '@acexy/service-kit/primitives';

/** Parses URLs separated by commas. @throws RangeError that names the wrong one */
export function parseSources(setting: string): URL[] {
  return splitList(setting).map((part) => {
    const url = URL.canParse(part) ? new URL(part) : null;
    if (url === null || !/^https?:$/.test(url.protocol))
      throw new RangeError(`must be http(s) URLs separated by commas; "${part}" is not an http(s) URL`);
    return url;
  });
}

/** Some servers decode these as a slash, which would leave the allowed folder. */
const ESCAPED_SLASH = /%2f|%5c/i;

/** True if `url` is one of the sources, or is below a source that ends with a slash. */
export function isAllowed(url: URL, sources: readonly URL[]): boolean {
  if (url.username !== '' || url.password !== '' || ESCAPED_SLASH.test(url.pathname)) return false;
  return sources.some(({ origin, pathname, search }) => {
    if (url.origin !== origin) return false;
    if (pathname.endsWith('/') && search === '') return url.pathname.startsWith(pathname);
    return url.pathname === pathname && (search === '' || url.search === search);
  });
}

export interface RequestAddress {
  readonly protocol: string;
  /** Host header; undefined with HTTP/1.0. */
  readonly host: string | undefined;
  readonly forwardedProto: string | undefined;
  readonly forwardedHost: string | undefined;
  readonly forwardedPrefix: string | undefined;
  /** Local address of the connection. */
  readonly local: { readonly address: string; readonly port: number };
}

const HOST = /^[a-z0-9._-]+(:\d{1,5})?$|^\[[0-9a-f:.]+\](:\d{1,5})?$/i;
const PREFIX = /^(\/[a-z0-9._~-]+)+$/i;

/** Scheme, host and path before `/ace` by which the client reaches this proxy. Valid X-Forwarded headers have priority. */
export function baseUrl(asked: RequestAddress): string {
  const first = (value: string | undefined): string => (value ?? '').split(',')[0].trim();
  const proto = /^https?$/.test(first(asked.forwardedProto)) ? first(asked.forwardedProto) : asked.protocol;
  const address = asked.local.address.replace(/^::ffff:(?=\d+\.)/, '');
  const own = `${address.includes(':') ? `[${address}]` : address}:${asked.local.port}`;
  const host = [first(asked.forwardedHost), asked.host ?? ''].find((candidate) => HOST.test(candidate)) ?? own;
  const prefix = withoutSlashesAtEnd(first(asked.forwardedPrefix));
  return `${proto}://${host}${PREFIX.test(prefix) ? prefix : ''}`;
}
