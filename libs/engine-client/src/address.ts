/** Where the HTTP API of an engine listens. */
export interface EngineAddress {
  /** A name, an IPv4 address or an IPv6 address without brackets. */
  host: string;
  port: number;
}

/** `http://host:port` of the engine. */
export function engineOrigin({ host, port }: EngineAddress): string {
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}

/**
 * Path and query of a URL, on the host and port of the engine. Engines build URLs from the Host header, and events carry URLs from anywhere,
 * so the host in them is never trusted.
 * @throws TypeError when `url` is neither an http(s) URL nor a path
 */
export function rehostEngineUrl(url: string, address: EngineAddress): URL {
  const ours = new URL(engineOrigin(address));
  const theirs = new URL(url, ours);
  if (theirs.protocol !== 'http:' && theirs.protocol !== 'https:') throw new TypeError(`not an http URL: ${theirs.protocol}`);
  ours.pathname = theirs.pathname;
  ours.search = theirs.search;
  return ours;
}
