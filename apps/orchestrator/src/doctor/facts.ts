/** Everything that the checks judge, collected once. Times are in milliseconds, sizes in bytes. */
import type { EnginesHealthStatus, OrchestratorStatus, VpnStatus } from '@acexy/contracts';
import type { SettingFault, SettingRemark } from '@acexy/service-kit';
import type { OrchestratorSettings } from '../settings.js';
import type { Scrape } from './scrape.js';

export interface Facts {
  /** Wall clock of this machine. */
  now: number;
  version: string;
  faults: readonly SettingFault[];
  /** Unknown names among the settings, and defaults that gave way to other settings. */
  remarks: readonly SettingRemark[];
  /** Null if a setting is invalid. */
  settings: OrchestratorSettings | null;
  /** Null if they cannot be read from here, or one is invalid. */
  proxySettings: ProxySettingsSeen | null;
  /** ENGINES_MEMORY of the compose files. */
  enginesMemoryBytes: number | null;
  machine: MachineFacts;
  /** Null if engines are processes. */
  docker: DockerFacts | null;
  vpns: readonly VpnContainerFacts[];
  /** Text of Gluetun's role file beside the compose file; null if it cannot be read from here. */
  gluetunRoles: string | null;
  orchestrator: OrchestratorFacts;
  /** The proxy that a check judges. */
  proxy: ProxyFacts;
  /** All other replicas of the proxy. */
  otherProxies: readonly ProxyFacts[];
}

/** The settings of the proxy that checks need. */
export interface ProxySettingsSeen {
  listen: { host: string; port: number };
  orchestratorUrl?: string;
  orchestratorApiKey?: string;
  orchestratorTimeoutMs: number;
  startTimeoutMs: number;
  engineCacheTtlMs: number;
  maxConnections: number;
}

export interface MachineFacts {
  node: string;
  processors: number;
  /** Load average of one minute. */
  load: number;
  memory: { total: number; available: number };
  /** Maximum open files of one process; null if unknown. */
  openFiles: number | null;
  /** Open files of the whole machine; null if unknown. */
  openFilesOfAll: { used: number; max: number } | null;
  /** Time of this build: a clock that shows an earlier time is wrong. */
  builtAt: number;
  disks: readonly DiskFacts[];
  /** Ports that the services listen on. */
  ports: readonly { setting: string; port: number; taken: boolean }[];
  /** Ports in PORT_RANGE_HOST on which a program listens, engines included; null if engines publish their ports on another host. */
  enginePortsTaken: readonly number[] | null;
}

export interface DiskFacts {
  what: string;
  path: string;
  free: number;
  total: number;
  writable: boolean;
}

export type DockerFacts =
  | { reached: false; endpoint: string; problem: string }
  | {
      reached: true;
      endpoint: string;
      version: string;
      /** Duration of the slowest call of the doctor. */
      latencyMs: number;
      /** The machine of the Docker Engine; null if a filter in front of Docker rejects the call. */
      host: { memory: number; clock: number | null } | null;
      image: 'present' | 'missing' | 'unknown';
      /** Null without DOCKER_NETWORK. */
      network: 'present' | 'missing' | 'unknown' | null;
      /** Number of engine containers of all installations, by Docker state. */
      containers: Readonly<Record<string, number>>;
    };

export interface VpnContainerFacts {
  name: string;
  /** State in Docker; null if Docker was not asked or does not know it. */
  container: { status: string; health: string | null; /** Version of Gluetun, as far as its image tells it. */ version: string } | null;
  /** Reply of its control server; null if it was not asked. */
  control: { ok: true; status: string } | { ok: false; code: string; problem: string } | null;
}

export type Reached<T extends { reached: boolean }> = Extract<T, { reached: true }>;

interface Unreached {
  reached: false;
  url: string;
  problem: string;
}

interface ReachedService {
  reached: true;
  url: string;
  /** Its clock minus ours, from its `Date` header (whole seconds). */
  clockOffsetMs: number | null;
  version: string | null;
  scrape: Scrape | null;
  /** `/health/ready`. */
  ready: { status: number; problems: readonly string[] };
}

export type OrchestratorFacts =
  | Unreached
  | (ReachedService & {
      /** Median of some calls of `/engines` and `/streams`. */
      latencyMs: { engines: number; streams: number };
      status: OrchestratorStatus | null;
      health: EnginesHealthStatus | null;
      vpn: VpnStatus | null;
      image: { name: string; state: string; percent: number | null; reason: string | null } | null;
      /** What works less well than it should between the orchestrator and the container runtime. */
      runtimeNote: string | null;
      provisioning: { queued: number; remaining: number } | null;
      /** Whether it accepts our key, and the key of the proxy; null without a key. */
      keyAccepted: boolean | null;
      proxyKeyAccepted: boolean | null;
    });

export type ProxyFacts =
  | Unreached
  | (ReachedService & {
      latencyMs: number;
      orchestrator: 'reachable' | 'away' | 'unauthorized' | 'not set' | 'unknown';
    });
