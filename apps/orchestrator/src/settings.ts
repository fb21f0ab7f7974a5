import { type Environment, loadAllSettings, type LoadedSettings, type SettingFault, type ValuesOf } from '@acexy/service-kit/settings';
import { DatabaseSettings } from './database/database-settings.js';
import { PoolSettings } from './engines/pool-settings.js';
import { RetrySettings } from './engines/retry-settings.js';
import { HealthSettings } from './health/health-settings.js';
import { HttpSettings } from './http/http-settings.js';
import { PortSettings } from './engines/port-settings.js';
import { ProvisioningSettings } from './provisioning/provisioning-settings.js';
import { RetentionSettings } from './retention/retention-settings.js';
import { DockerSettings } from './runtime/docker/docker-settings.js';
import { RuntimeSettings } from './runtime/runtime-settings.js';
import { StatisticsSettings } from './streams/statistics-settings.js';
import { EngineLimit } from './vpn/engine-limit.js';
import { VpnSettings } from './vpn/vpn-settings.js';
import { LogSettings } from './app/log-settings.js';

/** All settings of the orchestrator, in the order of the documentation. Each module declares and injects its own group. */
export const ORCHESTRATOR_SETTINGS = {
  groups: [
    HttpSettings,
    LogSettings,
    DatabaseSettings,
    PoolSettings,
    RuntimeSettings,
    PortSettings,
    DockerSettings,
    ProvisioningSettings,
    RetrySettings,
    HealthSettings,
    VpnSettings,
    StatisticsSettings,
    RetentionSettings,
  ],
  faultsBetween,
};

/** Checks settings of different groups against each other. */
function faultsBetween(settings: LoadedSettings): SettingFault[] {
  const { engineRuntime } = settings.of(RuntimeSettings);
  const { first, last } = settings.of(PortSettings).portRangeHost;
  const { vpnContainers, gluetunContainerNames, maxActiveReplicas } = settings.of(VpnSettings);
  const faults: SettingFault[] = [];
  if (engineRuntime === 'process' && vpnContainers.length > 1) {
    const problem =
      'must have only one name when ENGINE_RUNTIME=process: all local engines use the network of this machine, so there is only one VPN';
    faults.push({ name: 'GLUETUN_CONTAINER_NAMES', value: gluetunContainerNames ?? '', problem });
  }
  const needed = vpnContainers.length * maxActiveReplicas;
  if (needed > last - first + 1) {
    const problem = `must have ${needed} ports: MAX_ACTIVE_REPLICAS (${maxActiveReplicas}) for each VPN`;
    const perVpn = Math.floor((last - first + 1) / vpnContainers.length);
    const instead = perVpn > 0 ? { name: 'MAX_ACTIVE_REPLICAS', value: String(perVpn) } : undefined;
    faults.push({ name: 'PORT_RANGE_HOST', value: `${first}-${last}`, problem, instead });
  }
  return faults;
}

/** All values in one object, for the doctor, scripts and tests; modules inject their own group. */
export type OrchestratorSettings = ValuesOf<typeof ORCHESTRATOR_SETTINGS.groups> & { engineLimit: number };

/** @throws SettingsError with every fault */
export function loadOrchestratorSettings(environment: Environment): OrchestratorSettings {
  const settings = loadAllSettings(ORCHESTRATOR_SETTINGS, environment);
  const vpn = settings.of(VpnSettings);
  const engineLimit = new EngineLimit(settings.of(PoolSettings), vpn).engines;
  return { ...settings.values, vpnContainers: vpn.vpnContainers, engineLimit } as unknown as OrchestratorSettings;
}
