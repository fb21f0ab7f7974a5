import { Setting, type SettingFault, SettingsGroup } from '@acexy/service-kit';
import { DockerSettings } from '../runtime/docker/docker-settings.js';

/** Settings of engines behind a VPN; without a container's name there is none. */
@SettingsGroup('Engines behind a VPN')
export class VpnSettings extends DockerSettings {
  @Setting({ name: 'GLUETUN_CONTAINER_NAME', type: 'string', help: 'Gluetun container whose network the engines share; none by default' })
  gluetunContainerName?: string;

  @Setting({
    name: 'GLUETUN_CONTAINER_NAMES',
    type: 'string',
    help: 'Several of them, separated by commas: engines are spread over all, and a failed one is left for the others',
  })
  gluetunContainerNames?: string;

  @Setting({ name: 'GLUETUN_API_PORT', type: 'port', default: '8000', help: "Port of Gluetun's control server" })
  gluetunApiPort!: number;

  @Setting({ name: 'GLUETUN_API_KEY', type: 'string', secret: true, help: 'Key of its control server (a role with auth = "apikey")' })
  gluetunApiKey?: string;

  @Setting({ name: 'GLUETUN_API_USERNAME', type: 'string', help: 'Or a name and a password (a role with auth = "basic")' })
  gluetunApiUsername?: string;

  @Setting({ name: 'GLUETUN_API_PASSWORD', type: 'string', secret: true, help: 'The password to that name' })
  gluetunApiPassword?: string;

  @Setting({
    name: 'GLUETUN_HEALTH_CHECK_INTERVAL_S',
    type: 'seconds',
    min: 0.1,
    max: 300,
    default: '5',
    help: 'Longest time between two looks at the VPN and at what its engines say of the network',
  })
  gluetunCheckIntervalMs!: number;

  @Setting({
    name: 'GLUETUN_PORT_CACHE_TTL_S',
    type: 'seconds',
    max: 86_400,
    default: '60',
    help: 'How long a forwarded port is believed before Gluetun is asked again',
  })
  gluetunPortTtlMs!: number;

  @Setting({
    name: 'VPN_RESTART_ENGINES_ON_RECONNECT',
    type: 'boolean',
    default: 'true',
    help: 'Replace engines one by one after the VPN was away for longer than a moment',
  })
  restartEnginesOnReconnect!: boolean;

  @Setting({
    name: 'VPN_START_TIMEOUT_S',
    type: 'seconds',
    max: 3600,
    default: '60',
    help: 'How long the start of the service waits for the VPN before it goes on without',
  })
  vpnStartTimeoutMs!: number;

  @Setting({
    name: 'MAX_ACTIVE_REPLICAS',
    type: 'integer',
    min: 1,
    max: 10_000,
    default: '20',
    help: 'Engines that one VPN carries: so many ports of PORT_RANGE_HOST are its own',
  })
  maxActiveReplicas!: number;

  /** The VPN containers, in the order of the settings, each once. */
  get vpnContainers(): string[] {
    const names = [this.gluetunContainerName, ...(this.gluetunContainerNames ?? '').split(',')];
    return [...new Set(names.map((name) => (name ?? '').trim()).filter((name) => name !== ''))];
  }

  protected vpnFaults(runtime: string): SettingFault[] {
    const faults: SettingFault[] = [];
    if (runtime === 'process' && this.vpnContainers.length > 1) {
      faults.push({
        name: 'GLUETUN_CONTAINER_NAMES',
        value: this.gluetunContainerNames ?? '',
        problem: 'must name one host where ENGINE_RUNTIME=process: local engines all use the network of this machine',
      });
    }
    if (this.gluetunApiPassword !== undefined && this.gluetunApiUsername === undefined) {
      faults.push({ name: 'GLUETUN_API_PASSWORD', value: '(hidden)', problem: 'needs GLUETUN_API_USERNAME' });
    }
    return faults;
  }
}
