/** What the doctor decides on: gathered once, at the edge, each part within its own limit. Times are milliseconds, sizes bytes. */
import type { EnginesHealthStatus, OrchestratorStatus, VpnStatus } from '@acexy/contracts';
import type { SettingFault } from '@acexy/service-kit';
import type { OrchestratorSettings } from '../settings.js';
import type { Scrape } from './scrape.js';

export interface Facts {
  /** Clock of this machine, epoch. */
  now: number;
  /** Where the doctor runs: ports and processes of another container cannot be seen from within one. */
  place: 'host' | 'container';
  version: string;
  faults: readonly SettingFault[];
  /** null where a setting is wrong. */
  settings: OrchestratorSettings | null;
  /** null where they cannot be read from here, or one is wrong. */
  proxySettings: ProxySettingsSeen | null;
  /** ENGINES_MEMORY of the compose files. */
  enginesMemoryBytes: number | null;
  machine: MachineFacts;
  /** null: engines are processes. */
  docker: DockerFacts | null;
  vpns: readonly VpnContainerFacts[];
  orchestrator: OrchestratorFacts;
  proxy: ProxyFacts;
}

/** Those of the proxy's settings that a check needs. */
export interface ProxySettingsSeen {
  listen: { host: string; port: number };
  orchestratorUrl?: string;
  orchestratorApiKey?: string;
  orchestratorTimeoutMs: number;
  startTimeoutMs: number;
  firstByteTimeoutMs: number;
  engineCacheTtlMs: number;
  maxConnections: number;
  fallbackHost: string;
  fallbackPort: number;
}

export interface MachineFacts {
  node: string;
  processors: number;
  /** Average of one minute; processes that want a processor. */
  load: number;
  memory: { total: number; available: number };
  /** Most files one process may have open; null where the system does not tell. */
  openFiles: number | null;
  /** Of the whole machine. */
  openFilesOfAll: { used: number; most: number } | null;
  /** When this build was made: no true clock shows an earlier time. */
  builtAt: number;
  disks: readonly DiskFacts[];
  /** Ports that the services listen on. */
  ports: readonly { setting: string; port: number; taken: boolean }[];
  /** Ports in PORT_RANGE_HOST on which something listens, engines too; null where engines publish theirs elsewhere. */
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
      /** Of the slowest of the doctor's calls. */
      latencyMs: number;
      /** Of its machine; null where a filter in front of Docker does not let the question through. */
      host: { processors: number; memory: number; clock: number | null } | null;
      image: 'present' | 'missing' | 'unknown';
      /** Where DOCKER_NETWORK is set. */
      network: 'present' | 'missing' | 'unknown' | null;
      /** Of this and other installations, by Docker's word for their state. */
      containers: Readonly<Record<string, number>>;
    };

export interface VpnContainerFacts {
  name: string;
  /** As Docker sees it; null where Docker was not asked or does not know it. */
  container: { status: string; health: string | null } | null;
  /** What its control server said; null where it was not asked. */
  control: { ok: true; status: string } | { ok: false; code: string; problem: string } | null;
}

interface Unreached {
  reached: false;
  url: string;
  problem: string;
}

interface Reached {
  reached: true;
  url: string;
  /** Its clock minus ours, as its `Date` header has it (whole seconds). */
  clockOffsetMs: number | null;
  version: string | null;
  scrape: Scrape | null;
  /** `/health/ready`. */
  ready: { status: number; problems: readonly string[] };
}

export type OrchestratorFacts =
  | Unreached
  | (Reached & {
      /** The slower ones of some calls each of `/engines` and `/streams`. */
      latencyMs: { engines: number; streams: number };
      status: OrchestratorStatus | null;
      health: EnginesHealthStatus | null;
      vpn: VpnStatus | null;
      image: { name: string; state: string; percent: number | null; reason: string | null } | null;
      provisioning: { inProgress: number; queued: number; remaining: number } | null;
      /** Whether it takes our key, and the proxy's; null where there is none or it was not tried. */
      keyTaken: boolean | null;
      proxyKeyTaken: boolean | null;
    });

export type ProxyFacts =
  | Unreached
  | (Reached & {
      latencyMs: number;
      orchestrator: 'reachable' | 'away' | 'not set' | 'unknown';
    });
