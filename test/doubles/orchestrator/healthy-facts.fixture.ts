/** Facts of a healthy installation, for tests that break one thing. */
import { loadOrchestratorSettings, type OrchestratorSettings } from '../../../apps/orchestrator/src/settings.js';
import type { DockerFacts, Facts, OrchestratorFacts, ProxyFacts, Reached } from '../../../apps/orchestrator/src/doctor/facts.js';
import { Scrape } from '../../../apps/orchestrator/src/doctor/scrape.js';

const NOW = Date.parse('2026-03-01T12:00:00Z');

/** Metrics with these values. */
export function scrapeOf(figures: Readonly<Record<string, number>>): Scrape {
  return Scrape.parse(
    Object.entries(figures)
      .map(([series, value]) => `${series} ${value}`)
      .join('\n'),
  );
}

export const ORCHESTRATOR_FIGURES = {
  'orch_build_info{version="1.0.0"}': 1,
  process_open_fds: 40,
  process_max_fds: 65536,
  'orch_engines_use{use="free"}': 3,
  'orch_engines_use{use="busy"}': 2,
  'orch_engines_lifecycle{lifecycle="ready"}': 5,
  'orch_pool_limit{limit="min_free"}': 3,
  'orch_pool_limit{limit="max"}': 20,
  orch_leases_waiting: 0,
  'orch_engines_total{health_status="healthy"}': 5,
  'orch_engines_total{health_status="unhealthy"}': 0,
  'orch_provision_duration_seconds_sum{success="true"}': 40,
  'orch_provision_duration_seconds_count{success="true"}': 5,
  'orch_provision_duration_seconds_count{success="false"}': 0,
  orch_provision_queue_wait_seconds_sum: 2,
  orch_provision_queue_wait_seconds_count: 5,
  'orch_runtime_call_seconds_sum{call="start",success="true"}': 5,
  'orch_runtime_call_seconds_count{call="start",success="true"}': 5,
  'orch_circuit_breaker_opened_total{operation_type="general"}': 0,
  'orch_circuit_breaker_opened_total{operation_type="replacement"}': 0,
  'orch_database_size_bytes{file="main"}': 2e6,
};

export const PROXY_FIGURES = {
  'acexy_build_info{version="1.0.0"}': 1,
  process_open_fds: 60,
  process_max_fds: 65536,
  acexy_viewers: 4,
  'acexy_starts_total{outcome="playing"}': 20,
  'acexy_starts_total{outcome="no_engine"}': 0,
  'acexy_starts_total{outcome="engines_refused"}': 0,
  'acexy_starts_total{outcome="engines_silent"}': 0,
  'acexy_orchestrator_call_seconds_count{endpoint="report",outcome="ok"}': 100,
  'acexy_orchestrator_call_seconds_bucket{le="0.01",endpoint="report",outcome="ok"}': 100,
  'acexy_orchestrator_call_seconds_bucket{le="+Inf",endpoint="report",outcome="ok"}': 100,
};

const CLOSED = {
  state: 'closed' as const,
  failure_count: 0,
  failure_threshold: 5,
  recovery_timeout: 300,
  recovery_eta_seconds: 0,
  last_failure_time: null,
  last_failure_reason: null,
};

export const HEALTHY_DOCKER: Reached<DockerFacts> = {
  reached: true,
  endpoint: 'unix:///var/run/docker.sock',
  version: '28.0.0',
  latencyMs: 12,
  host: { memory: 64e9, clock: NOW },
  image: 'present',
  network: null,
  containers: { running: 5 },
};

export const HEALTHY_ORCHESTRATOR: Reached<OrchestratorFacts> = {
  reached: true,
  url: 'http://localhost:8000',
  clockOffsetMs: 0,
  version: '1.0.0',
  scrape: scrapeOf(ORCHESTRATOR_FIGURES),
  ready: { status: 200, problems: [] },
  latencyMs: { engines: 4, streams: 3 },
  status: null,
  health: {
    total_engines: 5,
    healthy_engines: 5,
    unhealthy_engines: 0,
    marked_for_replacement: 0,
    minimum_required: 3,
    health_check_interval: 30,
    circuit_breakers: { general: CLOSED, replacement: CLOSED },
  },
  vpn: null,
  image: null,
  runtimeNote: null,
  provisioning: { queued: 0, remaining: 5 },
  keyAccepted: true,
  proxyKeyAccepted: true,
};

export const HEALTHY_PROXY: Reached<ProxyFacts> = {
  reached: true,
  url: 'http://localhost:8080',
  clockOffsetMs: 0,
  version: '1.0.0',
  scrape: scrapeOf(PROXY_FIGURES),
  ready: { status: 200, problems: [] },
  latencyMs: 5,
  orchestrator: 'reachable',
};

export const HEALTHY: Facts = {
  now: NOW,
  version: '1.0.0',
  faults: [],
  remarks: [],
  settings: settingsWith({}),
  proxySettings: {
    listen: { host: '', port: 8080 },
    orchestratorUrl: 'http://localhost:8000',
    orchestratorApiKey: 'a-key-that-is-long-enough',
    orchestratorTimeoutMs: 3_000,
    startTimeoutMs: 60_000,
    engineCacheTtlMs: 5_000,
    maxConnections: 10_000,
  },
  enginesMemoryBytes: null,
  machine: {
    node: 'v24.1.0',
    processors: 8,
    load: 2,
    memory: { total: 64e9, available: 40e9 },
    openFiles: 65536,
    openFilesOfAll: { used: 9_000, max: 1_000_000 },
    builtAt: NOW - 86_400_000,
    disks: [{ what: 'DATA_DIR', path: '/data', free: 50e9, total: 100e9, writable: true }],
    ports: [
      { setting: 'APP_PORT', port: 8000, taken: true },
      { setting: 'ACEXY_LISTEN_ADDR', port: 8080, taken: true },
    ],
    enginePortsTaken: [19000, 19001, 19002, 19003, 19004],
  },
  docker: HEALTHY_DOCKER,
  vpns: [],
  gluetunRoles: null,
  orchestrator: HEALTHY_ORCHESTRATOR,
  proxy: HEALTHY_PROXY,
  otherProxies: [],
};

/** Settings with a key, Docker, and what is given. */
export function settingsWith(environment: Record<string, string>): OrchestratorSettings {
  return loadOrchestratorSettings({ API_KEY: 'a-key-that-is-long-enough', ENGINE_RUNTIME: 'docker', ...environment });
}
