import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DockerOptions } from 'dockerode';

/** Address of Docker's API, from DOCKER_HOST; without it the local socket. */
export interface DockerEndpoint {
  /** For messages. */
  name: string;
  options: DockerOptions;
  /** Host whose published ports a proxy connects to; null for a local socket. */
  remoteHost: string | null;
}

const LOCAL_SOCKET = '/var/run/docker.sock';
const PLAIN_PORT = 2375;
const TLS_PORT = 2376;

/**
 * @param certPath folder with ca.pem, cert.pem and key.pem (DOCKER_CERT_PATH), for an API over TLS
 * @throws RangeError that says what would be right
 */
export function dockerEndpoint(dockerHost: string | undefined, certPath?: string): DockerEndpoint {
  const text = dockerHost ?? `unix://${LOCAL_SOCKET}`;
  if (text.startsWith('unix://')) {
    const socketPath = text.slice('unix://'.length);
    if (!socketPath.startsWith('/')) throw new RangeError(`must be like unix://${LOCAL_SOCKET}`);
    return { name: text, options: { socketPath }, remoteHost: null };
  }
  const url = URL.canParse(text) ? new URL(text) : null;
  if (
    !url ||
    !/^(tcp|https?):$/.test(url.protocol) ||
    url.hostname === '' ||
    url.username !== '' ||
    (url.pathname !== '' && url.pathname !== '/')
  ) {
    throw new RangeError('must be unix:///path/of/socket or tcp://host:port');
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const tls = url.protocol === 'https:' || certPath !== undefined;
  const port = Number(url.port || (tls ? TLS_PORT : PLAIN_PORT));
  return {
    name: text,
    options: { host, port, protocol: tls ? 'https' : 'http', ...(certPath !== undefined && certificates(certPath)) },
    remoteHost: host,
  };
}

function certificates(folder: string): Pick<DockerOptions, 'ca' | 'cert' | 'key'> {
  const read = (name: string): Buffer => readFileSync(join(folder, name));
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
}
