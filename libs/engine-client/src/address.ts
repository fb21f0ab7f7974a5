/** Where an engine's HTTP API listens. */
export interface EngineAddress {
  /** A name, an IPv4 or a bare IPv6 address. */
  host: string;
  port: number;
}

/** `http://host:port` of the engine. */
export function engineOrigin({ host, port }: EngineAddress): string {
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}

/**
 * The path and query of a URL, on the engine we know. Engines build URLs from the Host header and events bring URLs from anywhere,
 * so the host in them is never trusted.
 * @throws TypeError when `url` is no http(s) URL and no path
 */
export function rehostEngineUrl(url: string, address: EngineAddress): URL {
  const ours = new URL(engineOrigin(address));
  const theirs = new URL(url, ours);
  if (theirs.protocol !== 'http:' && theirs.protocol !== 'https:') throw new TypeError(`not an http URL: ${theirs.protocol}`);
  ours.pathname = theirs.pathname;
  ours.search = theirs.search;
  return ours;
}
