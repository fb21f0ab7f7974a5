import { type ListenAddress, type LoadedSettings, Setting, SettingsGroup } from '@acexy/service-kit/settings';
import { splitList } from '@acexy/service-kit/primitives';
import { LogSettings } from '../app/log-settings.js';
import { DockerSettings } from '../runtime/docker/docker-settings.js';
import { VpnSettings } from '../vpn/vpn-settings.js';
import type { CreateRules } from './container-create.policy.js';

@SettingsGroup('Filter in front of Docker')
export class DockerFilterSettings {
  @Setting({
    name: 'ALLOWED_IMAGES',
    type: 'string',
    help: 'Images that containers may have besides TARGET_IMAGE, separated by commas; the filter refuses all others',
  })
  allowedImages?: string;

  @Setting({
    name: 'DOCKER_FILTER_LISTEN_ADDR',
    type: 'address',
    default: ':2375',
    help: 'Address on which the filter accepts the calls of the orchestrator',
  })
  listen!: ListenAddress;
}

/** The filter reads its own settings, and of the orchestrator those that say what an engine may be. */
export const DOCKER_FILTER_SETTINGS = { groups: [DockerFilterSettings, LogSettings, DockerSettings, VpnSettings] };

export function rulesOf(settings: LoadedSettings): Omit<CreateRules, 'project'> {
  const { targetImage, dockerNetwork } = settings.of(DockerSettings);
  return {
    targetImage,
    otherImages: splitList(settings.of(DockerFilterSettings).allowedImages ?? ''),
    network: dockerNetwork ?? null,
    vpnContainers: settings.of(VpnSettings).vpnContainers,
  };
}
