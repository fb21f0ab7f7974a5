import { Setting, SettingsGroup } from '@acexy/service-kit';
import { dockerEndpoint } from './docker-endpoint.js';
import type { DockerRuntimeOptions } from './docker-runtime.js';
import type { ImagePolicy } from './image-pull.js';

/** Settings of engines that run as containers. */
@SettingsGroup('Engines as containers')
export class DockerSettings {
  @Setting({ name: 'DOCKER_HOST', type: 'string', help: "unix:///path/of/socket or tcp://host:port; the host's own socket by default" })
  dockerHost?: string;

  @Setting({ name: 'DOCKER_CERT_PATH', type: 'string', help: 'Folder with ca.pem, cert.pem and key.pem, for tcp:// over TLS' })
  dockerCertPath?: string;

  @Setting({
    name: 'DOCKER_NETWORK',
    type: 'string',
    help: 'Docker network that engines and services share: proxies then reach an engine by its name',
  })
  dockerNetwork?: string;

  @Setting({
    name: 'TARGET_IMAGE',
    type: 'string',
    default: 'krinkuto11/acestream-http-proxy:latest',
    help: 'Image of the engines; it must take its ports from CONF or HTTP_PORT, HTTPS_PORT and P2P_PORT',
  })
  targetImage!: string;

  @Setting({
    name: 'IMAGE_PULL',
    type: 'choice',
    choices: ['missing', 'always', 'never'],
    default: 'missing',
    help: 'When the image is pulled, in the background at start',
  })
  imagePull!: ImagePolicy;

  @Setting({ name: 'ENGINE_MEMORY_LIMIT', type: 'size', help: 'Memory that one engine may use, such as 1GiB; no limit by default' })
  engineMemoryBytes?: number;

  @Setting({ name: 'ACE_MAP_HTTPS', type: 'boolean', default: 'false', help: "Publish the engines' HTTPS ports too" })
  mapHttps!: boolean;
}

/** @throws RangeError where DOCKER_HOST is not an address of Docker */
export function dockerOptions(settings: DockerSettings, engineHost: string | undefined, ownerLabel: string): DockerRuntimeOptions {
  const endpoint = dockerEndpoint(settings.dockerHost, settings.dockerCertPath);
  return {
    endpoint,
    placement: {
      network: settings.dockerNetwork ?? null,
      engineHost: engineHost ?? null,
      remoteHost: endpoint.remoteHost,
      memoryBytes: settings.engineMemoryBytes ?? null,
      mapHttps: settings.mapHttps,
    },
    image: settings.targetImage,
    imagePolicy: settings.imagePull,
    ownerLabel,
  };
}
