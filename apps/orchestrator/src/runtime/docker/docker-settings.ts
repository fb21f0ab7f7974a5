import { Setting, SettingsGroup } from '@acexy/service-kit/settings';
import { isIP } from 'node:net';
import type { DockerPlacement } from './docker-container.plan.js';
import { dockerEndpoint } from './docker-endpoint.js';
import type { LeaseHolder } from './docker-lease.js';
import type { DockerRuntimeOptions } from './docker-runtime.js';
import type { ImagePolicy } from './image-pull.js';

const LOOPBACK = '127.0.0.1';

@SettingsGroup('Engines as containers')
export class DockerSettings {
  @Setting({
    name: 'DOCKER_HOST',
    type: 'string',
    check: (text) => dockerEndpoint(text),
    help: 'Address of the Docker Engine, unix:///path/of/socket or tcp://host:port; the local socket by default',
  })
  dockerHost?: string;

  @Setting({ name: 'DOCKER_CERT_PATH', type: 'string', help: 'Folder with ca.pem, cert.pem and key.pem, for DOCKER_HOST over TLS' })
  dockerCertPath?: string;

  @Setting({
    name: 'DOCKER_NETWORK',
    type: 'string',
    help: 'Docker network that engines and services share; proxies then connect to an engine by its name. The name without the prefix of the compose project is enough',
  })
  dockerNetwork?: string;

  @Setting({
    name: 'ENGINE_BIND',
    type: 'string',
    check: (text) => {
      if (isIP(text) === 0) throw new RangeError('must be an IP address such as 127.0.0.1, or 0.0.0.0 for all interfaces');
    },
    help: 'Address of the Docker host on which engines publish their HTTP port; by default 127.0.0.1 with DOCKER_NETWORK and without ENGINE_HOST, otherwise all interfaces',
  })
  engineBind?: string;

  @Setting({
    name: 'TARGET_IMAGE',
    type: 'string',
    default: 'krinkuto11/acestream-http-proxy:latest',
    help: 'Engine image; it must read its ports from CONF or from HTTP_PORT, HTTPS_PORT and P2P_PORT',
  })
  targetImage!: string;

  @Setting({
    name: 'IMAGE_PULL',
    type: 'choice',
    choices: ['missing', 'always', 'never'],
    default: 'missing',
    help: 'Whether the engine image is pulled in the background when the service starts: `missing`, if it is not present; `always`; `never`',
  })
  imagePull!: ImagePolicy;

  @Setting({ name: 'ENGINE_MEMORY_LIMIT', type: 'size', help: 'Memory limit of each engine, such as 1GiB; no limit by default' })
  engineMemoryBytes?: number;

  @Setting({ name: 'ACE_MAP_HTTPS', type: 'boolean', default: 'false', help: 'Whether the HTTPS port of each engine is published too' })
  mapHttps!: boolean;
}

/** @throws RangeError when DOCKER_HOST is not an address of Docker */
export function dockerOptions(
  settings: DockerSettings,
  engineHost: string | undefined,
  ownerLabel: string,
  holder: LeaseHolder,
): DockerRuntimeOptions {
  const endpoint = dockerEndpoint(settings.dockerHost, settings.dockerCertPath);
  return {
    endpoint,
    placement: dockerPlacement(settings, engineHost, endpoint.remoteHost),
    image: settings.targetImage,
    imagePolicy: settings.imagePull,
    ownerLabel,
    holder,
  };
}

/** How containers of engines are made. */
export function dockerPlacement(settings: DockerSettings, engineHost: string | undefined, remoteHost: string | null): DockerPlacement {
  return {
    network: settings.dockerNetwork ?? null,
    engineHost: engineHost ?? null,
    remoteHost: remoteHost,
    memoryBytes: settings.engineMemoryBytes ?? null,
    mapHttps: settings.mapHttps,
    // Proxies in the network connect to the engine itself, so nobody else needs the published port.
    engineBind: settings.engineBind ?? (settings.dockerNetwork !== undefined && engineHost === undefined ? LOOPBACK : ''),
  };
}
