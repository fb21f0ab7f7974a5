/** Collects all facts at the same time, each part with its own timeout. */
import {
  type Environment,
  type SettingFault,
  type SettingRemark,
  type SettingsDefinition,
  SettingsError,
  loadAllSettings,
  parseSize,
  versionOf,
} from '@acexy/service-kit';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { databaseFile } from '../../database/database-settings.js';
import { loadOrchestratorSettings, ORCHESTRATOR_SETTINGS, type OrchestratorSettings } from '../../settings.js';
import type { Facts, ProxyFacts, ProxySettingsSeen, VpnContainerFacts } from '../facts.js';
import { askGluetun, DockerCollector } from './docker.js';
import { lookAtMachine } from './machine.js';
import { askOrchestrator, askProxy, replicasAt } from './services.js';

export interface DoctorOptions {
  env: Environment;
  /** The folder in which the services start. */
  folder: string;
  /** The folder of the compose file and .env. */
  configFolder: string;
  /** Where the doctor runs. In a container it cannot see ports and processes of other containers. */
  place: 'host' | 'container';
  /** Given if the settings of the proxy can be read too. */
  proxySettings?: SettingsDefinition;
  orchestratorUrl?: string;
  proxyUrl?: string;
}

/** Names of the services in the compose files. */
const PROXY_IN_COMPOSE = 'http://acexy:8080';
/** Memory limit of the compose files (4G by default). */
const COMPOSE_MEMORY = 'ENGINES_MEMORY';

export async function gatherFacts(options: DoctorOptions): Promise<Facts> {
  const { env, folder, place, proxySettings: proxyDefinition } = options;
  const faults = new Map<string, SettingFault>();
  const settings = read(() => loadOrchestratorSettings(env), faults);
  const proxySettings = proxyDefinition
    ? read(() => loadAllSettings(proxyDefinition, env).values as unknown as ProxySettingsSeen, faults)
    : null;
  const docker = settings?.engineRuntime === 'docker' ? new DockerCollector(settings) : null;
  const orchestratorUrl = options.orchestratorUrl ?? local(settings?.host, settings?.port ?? 8000);
  const [orchestrator, [proxy, ...otherProxies], dockerFacts, vpns, machine] = await Promise.all([
    askOrchestrator(orchestratorUrl, settings?.apiKey, proxySettings?.orchestratorApiKey),
    askProxies(options, proxySettings),
    docker?.look() ?? null,
    settings === null ? [] : vpnFacts(settings, docker, place),
    lookAtMachine({
      folders: folders(settings, folder, place),
      ports: place === 'container' ? [] : ports(options, settings, proxySettings),
      enginePorts: settings !== null && publishesHere(settings, place) ? settings.portRangeHost : null,
      // In a container the service is the first process.
      pid: place === 'container' ? 1 : 'self',
      builtAt: statSync(fileURLToPath(import.meta.url)).mtimeMs,
    }),
  ]);
  return {
    now: Date.now(),
    version: versionOf(new URL('../../../package.json', import.meta.url)),
    faults: [...faults.values()],
    remarks: [ORCHESTRATOR_SETTINGS, ...(proxyDefinition ? [proxyDefinition] : [])].flatMap((definition) => remarksOn(definition, env)),
    settings,
    proxySettings,
    enginesMemoryBytes: memoryOf(env[COMPOSE_MEMORY]),
    machine,
    docker: dockerFacts,
    vpns,
    gluetunRoles: vpns.length === 0 ? null : readRoles(options),
    orchestrator,
    proxy,
    otherProxies,
  };
}

/** At least one. */
async function askProxies({ proxyUrl, place, env }: DoctorOptions, settings: ProxySettingsSeen | null): Promise<ProxyFacts[]> {
  if (proxyUrl === undefined && place === 'container') return Promise.all((await replicasAt(PROXY_IN_COMPOSE)).map(askProxy));
  return [await askProxy(proxyUrl ?? local(settings?.listen.host, Number(env.ACEXY_PUBLISHED_PORT) || (settings?.listen.port ?? 8080)))];
}

function readRoles({ env, configFolder }: DoctorOptions): string | null {
  try {
    return readFileSync(join(configFolder, 'docker/gluetun', env.GLUETUN_AUTH_CONFIG || 'auth-config.toml'), 'utf8');
  } catch {
    return null; // the check reports it as unknown
  }
}

function read<T>(load: () => T, faults: Map<string, SettingFault>): T | null {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    // Some settings are read by both services.
    for (const fault of error.faults) faults.set(`${fault.name} ${fault.problem}`, fault);
    return null;
  }
}

/** None while a setting is invalid, which is to be corrected first. */
function remarksOn(definition: SettingsDefinition, env: Environment): readonly SettingRemark[] {
  try {
    return loadAllSettings(definition, env).remarks;
  } catch (error) {
    if (error instanceof SettingsError) return [];
    throw error;
  }
}

function local(host: string | undefined, port: number): string {
  if (!host || /^[0:.]+$/.test(host)) return `http://localhost:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function folders(settings: OrchestratorSettings | null, folder: string, place: DoctorOptions['place']): { what: string; path: string }[] {
  if (settings === null) return [{ what: place === 'container' ? 'the data volume' : 'the folder of the services', path: folder }];
  const database = dirname(databaseFile(settings.dbUrl, folder));
  const data = resolve(folder, settings.dataDir);
  return [{ what: 'the folder of the database', path: database }, ...(data === database ? [] : [{ what: 'DATA_DIR', path: data }])];
}

function ports(
  { orchestratorUrl, proxyUrl }: DoctorOptions,
  settings: OrchestratorSettings | null,
  proxySettings: ProxySettingsSeen | null,
): { setting: string; port: number }[] {
  return [
    ...(settings !== null && orchestratorUrl === undefined ? [{ setting: 'APP_PORT', port: settings.port }] : []),
    ...(proxySettings !== null && proxyUrl === undefined ? [{ setting: 'ACEXY_LISTEN_ADDR', port: proxySettings.listen.port }] : []),
  ];
}

/** Engines of a remote Docker Engine, or of one in another container, publish their ports there. */
function publishesHere(settings: OrchestratorSettings, place: DoctorOptions['place']): boolean {
  return place === 'host' && (settings.engineRuntime === 'process' || !/^(tcp|https?):/.test(settings.dockerHost ?? ''));
}

/** Parses a size in the notation of compose: 4G, 512m. */
function memoryOf(text: string | undefined): number | null {
  const match = /^(\d+(?:\.\d+)?)([bkmg])?b?$/i.exec(text ?? '');
  if (!match) return null;
  const unit = (match[2] ?? 'b').toLowerCase();
  return parseSize(`${match[1]}${unit === 'b' ? 'b' : `${unit}ib`}`);
}

function vpnFacts(
  settings: OrchestratorSettings,
  docker: DockerCollector | null,
  place: DoctorOptions['place'],
): Promise<VpnContainerFacts[]> {
  return Promise.all(
    settings.vpnContainers.map(async (name) => ({
      name,
      container: docker === null ? null : await docker.container(name),
      // The control port is reachable only in Gluetun's network.
      control: place === 'container' || docker === null ? await askGluetun(name, settings) : null,
    })),
  );
}
