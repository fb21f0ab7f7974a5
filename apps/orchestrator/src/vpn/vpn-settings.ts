import { Setting, type SettingFault, SettingsGroup } from '@acexy/service-kit/settings';

/** Without a container name there is no VPN. */
@SettingsGroup('Engines behind a VPN')
export class VpnSettings {
  @Setting({ name: 'GLUETUN_CONTAINER_NAME', type: 'string', help: 'Gluetun container whose network the engines share; none by default' })
  gluetunContainerName?: string;

  @Setting({
    name: 'GLUETUN_CONTAINER_NAMES',
    type: 'string',
    help: 'Several Gluetun containers, separated by commas: engines are spread over all of them and move away from one that fails',
  })
  gluetunContainerNames?: string;

  @Setting({ name: 'GLUETUN_API_PORT', type: 'port', default: '8000', help: "Port of Gluetun's control server" })
  gluetunApiPort!: number;

  @Setting({ name: 'GLUETUN_API_KEY', type: 'string', secret: true, help: 'Key of the control server (role with auth = "apikey")' })
  gluetunApiKey?: string;

  @Setting({ name: 'GLUETUN_API_USERNAME', type: 'string', help: 'User name for the control server (role with auth = "basic")' })
  gluetunApiUsername?: string;

  @Setting({ name: 'GLUETUN_API_PASSWORD', type: 'string', secret: true, help: 'Password for the control server' })
  gluetunApiPassword?: string;

  @Setting({
    name: 'GLUETUN_HEALTH_CHECK_INTERVAL_S',
    type: 'seconds',
    min: 0.1,
    max: 300,
    default: '5',
    help: 'Maximum seconds between two checks of the VPN and of the network of its engines',
  })
  gluetunCheckIntervalMs!: number;

  @Setting({
    name: 'GLUETUN_PORT_CACHE_TTL_S',
    type: 'seconds',
    max: 86_400,
    default: '60',
    help: 'Seconds that a forwarded port is cached',
  })
  gluetunPortTtlMs!: number;

  @Setting({
    name: 'VPN_RESTART_ENGINES_ON_RECONNECT',
    type: 'boolean',
    default: 'true',
    help: 'Whether the engines are replaced, one by one, after an outage of the VPN',
  })
  restartEnginesOnReconnect!: boolean;

  @Setting({
    name: 'VPN_START_TIMEOUT_S',
    type: 'seconds',
    max: 3600,
    default: '60',
    help: 'Maximum seconds that the service waits for the VPN at its start',
  })
  vpnStartTimeoutMs!: number;

  @Setting({
    name: 'MAX_ACTIVE_REPLICAS',
    type: 'integer',
    min: 1,
    max: 10_000,
    default: '20',
    help: 'Maximum engines per VPN; each VPN reserves this many ports of PORT_RANGE_HOST',
  })
  maxActiveReplicas!: number;

  /** The VPN containers, in the order of the settings, each once. */
  get vpnContainers(): string[] {
    const names = [this.gluetunContainerName, ...(this.gluetunContainerNames ?? '').split(',')];
    return [...new Set(names.map((name) => (name ?? '').trim()).filter((name) => name !== ''))];
  }

  faults(): SettingFault[] {
    if (this.gluetunApiPassword === undefined || this.gluetunApiUsername !== undefined) return [];
    return [{ name: 'GLUETUN_API_PASSWORD', value: '(hidden)', problem: 'needs GLUETUN_API_USERNAME' }];
  }
}
