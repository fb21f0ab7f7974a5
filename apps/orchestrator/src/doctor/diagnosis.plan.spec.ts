import { describe, expect, it } from 'vitest';
import { replicasAt } from './collect/services.js';
import { CHECKS, diagnose, exitCode } from './diagnosis.plan.js';
import type { Facts, OrchestratorFacts, ProxyFacts, Reached } from './facts.js';
import { report } from './report.js';
import type { State } from './check.js';
import {
  ORCHESTRATOR_FIGURES,
  PROXY_FIGURES,
  scrapeOf,
  settingsWith,
  HEALTHY,
  HEALTHY_DOCKER,
  HEALTHY_ORCHESTRATOR,
  HEALTHY_PROXY,
} from '../../../../test/doubles/orchestrator/healthy-facts.fixture.js';

const machine = (change: Partial<Facts['machine']>): Partial<Facts> => ({ machine: { ...HEALTHY.machine, ...change } });
const docker = (change: Partial<typeof HEALTHY_DOCKER>): Partial<Facts> => ({ docker: { ...HEALTHY_DOCKER, ...change } });
const orchestrator = (change: Partial<Reached<OrchestratorFacts>>): Partial<Facts> => ({
  orchestrator: { ...HEALTHY_ORCHESTRATOR, ...change },
});
const proxy = (change: Partial<Reached<ProxyFacts>>): Partial<Facts> => ({ proxy: { ...HEALTHY_PROXY, ...change } });
const orchestratorShows = (figures: Record<string, number>): Partial<Facts> =>
  orchestrator({ scrape: scrapeOf({ ...ORCHESTRATOR_FIGURES, ...figures }) });
const proxyShows = (figures: Record<string, number>): Partial<Facts> => proxy({ scrape: scrapeOf({ ...PROXY_FIGURES, ...figures }) });
const settings = (environment: Record<string, string>): Partial<Facts> => ({ settings: settingsWith(environment) });
const proxySettings = (change: Partial<NonNullable<Facts['proxySettings']>>): Partial<Facts> => ({
  proxySettings: { ...HEALTHY.proxySettings!, ...change },
});
const breaker = (change: object): Partial<Facts> => {
  const { health } = HEALTHY_ORCHESTRATOR;
  const { general, replacement } = health!.circuit_breakers;
  return orchestrator({ health: { ...health!, circuit_breakers: { general: { ...general, ...change }, replacement } } });
};
const gluetun = { name: 'gluetun', container: { status: 'running', health: 'healthy', version: 'v3.41.1' }, control: null };
const behindVpn = (
  vpn: Partial<(typeof HEALTHY.vpns)[number]>,
  reported: object | null = { connected: true, forwarded_port: 5000 },
): Partial<Facts> => ({
  ...settings({ GLUETUN_CONTAINER_NAME: 'gluetun' }),
  vpns: [{ ...gluetun, ...vpn }],
  ...orchestrator({
    vpn: reported && ({ vpns: [{ container_name: 'gluetun', reason: 'the tunnel is dead', health: 'healthy', ...reported }] } as never),
  }),
});

it('a healthy installation has only good results, one for every check', () => {
  const diagnoses = diagnose(HEALTHY);
  expect(diagnoses.filter(({ state }) => state !== 'good')).toEqual([]);
  expect(new Set(diagnoses.map(({ id }) => id))).toEqual(new Set(CHECKS.map(({ id }) => id)));
  expect(exitCode(diagnoses)).toBe(0);
});

const CASES: [what: string, change: Partial<Facts>, id: string, state: State, says: RegExp, cure?: RegExp][] = [
  [
    'an invalid setting',
    { faults: [{ name: 'MIN_REPLICAS', value: 'x', problem: 'must be a whole number' }] },
    'settings',
    'wrong',
    /MIN_REPLICAS=x: must be/,
    /MIN_REPLICAS/,
  ],
  [
    'a wrong name of a setting',
    { remarks: [{ kind: 'unknown', name: 'MIN_REPLICA', nearest: 'MIN_REPLICAS' }] },
    'settings',
    'warning',
    /MIN_REPLICA is not a setting/,
    /Did you mean MIN_REPLICAS/,
  ],
  ['an API without a key', { ...settings({ API_KEY: '' }), ...orchestrator({ keyAccepted: false }) }, 'key', 'wrong', /401/, /API_KEY/],
  ['an API without authentication', settings({ AUTH: 'open' }), 'key', 'warning', /AUTH=open/],
  ['a key that can be guessed', settings({ API_KEY: 'short' }), 'key', 'warning', /5 characters/],
  ['a key that the running orchestrator rejects', orchestrator({ keyAccepted: false }), 'key', 'wrong', /rejects the API_KEY/],
  ['an old Node', machine({ node: 'v18.4.0' }), 'node', 'wrong', /too old/, /20\.19/],
  ['a clock in the past', { now: HEALTHY.machine.builtAt - 3_600_000 }, 'clock', 'wrong', /before this build/],
  [
    'a clock on the machine of Docker that is wrong',
    docker({ host: { ...HEALTHY_DOCKER.host!, clock: HEALTHY.now + 90_000 } }),
    'clock',
    'wrong',
    /Docker is 90 s ahead/,
  ],
  ['a proxy some seconds behind', proxy({ clockOffsetMs: -5_000 }), 'clock', 'warning', /proxy is 5\.0 s behind/],
  ['a full disk', machine({ disks: [{ ...HEALTHY.machine.disks[0], free: 90e6 }] }), 'disk', 'wrong', /90 MB/, /docker system df/],
  ['a disk that fills up', machine({ disks: [{ ...HEALTHY.machine.disks[0], free: 700e6 }] }), 'disk', 'warning', /700 MB/],
  [
    'a folder that is read-only',
    machine({ disks: [{ ...HEALTHY.machine.disks[0], writable: false }] }),
    'disk',
    'wrong',
    /cannot be written/,
  ],
  ['exhausted memory', machine({ memory: { total: 4e9, available: 90e6 } }), 'memory', 'wrong', /90 MB of 4\.0 GB/],
  ['little memory', machine({ memory: { total: 4e9, available: 400e6 } }), 'memory', 'warning', /400 MB/],
  [
    'more engines than fit into ENGINES_MEMORY',
    { ...settings({ MAX_REPLICAS: '60' }), enginesMemoryBytes: 4e9 },
    'memory',
    'warning',
    /18 GB.*4\.0 GB/,
  ],
  [
    "more engines than fit into the memory of Docker's machine",
    settings({ MAX_REPLICAS: '900' }),
    'memory',
    'warning',
    /270 GB.*64 GB/,
    /MAX_REPLICAS/,
  ],
  [
    'a proxy with less memory than its stream buffers need',
    proxyShows({ acexy_memory_limit_bytes: 512e6, acexy_memory_needed_bytes: 1.6e9 }),
    'memory',
    'warning',
    /512 MB.*1\.6 GB/,
    /ACEXY_BUFFER_TOTAL_MAX/,
  ],
  ['a busy processor', machine({ load: 40 }), 'cpu', 'warning', /load 40\.0 on 8/],
  [
    'too few file descriptors',
    { ...machine({ openFiles: 1024 }), ...proxy({ scrape: null }) },
    'files',
    'warning',
    /1024 files/,
    /ulimit -n/,
  ],
  ['more viewers allowed than files', proxyShows({ process_max_fds: 5_000 }), 'files', 'warning', /ACEXY_MAX_CONNECTIONS=10000/],
  ['nearly all connections taken', proxyShows({ acexy_viewers: 9_500 }), 'files', 'wrong', /9500 viewers of at most 10000/],
  ['a machine that has too many files open', machine({ openFilesOfAll: { used: 95, max: 100 } }), 'files', 'wrong', /95 of 100/],
  [
    'a port that another program uses',
    { orchestrator: { reached: false, url: 'http://localhost:8000', problem: 'another program answers there' } },
    'ports',
    'wrong',
    /port 8000 \(APP_PORT\) is in use/,
    /ss -ltnp/,
  ],
  ['too few ports for the engines', settings({ PORT_RANGE_HOST: '19000-19004' }), 'engine-ports', 'wrong', /5 ports for up to 20/],
  [
    'engine ports that other programs use',
    {
      ...settings({ PORT_RANGE_HOST: '19000-19019' }),
      ...machine({ enginePortsTaken: Array.from({ length: 25 }, (_, at) => 19000 + at) }),
    },
    'engine-ports',
    'wrong',
    /other programs use all 20/,
  ],
  [
    'no Docker',
    { docker: { reached: false, endpoint: 'unix:///x', problem: 'no Docker Engine answers at unix:///x' } },
    'docker',
    'wrong',
    /no Docker Engine/,
    /systemctl start docker/,
  ],
  [
    'the Docker of the compose file is down',
    {
      docker: {
        reached: false,
        endpoint: 'unix:///run/engines/docker.sock',
        problem: 'no Docker Engine answers at unix:///run/engines/docker.sock',
      },
    },
    'docker',
    'wrong',
    /no Docker Engine/,
    /docker compose up -d docker`/,
  ],
  [
    'the filter in front of Docker is down: its service is named, not one of another compose file',
    { docker: { reached: false, endpoint: 'tcp://docker-proxy:2375', problem: 'the host in tcp://docker-proxy:2375 has no address' } },
    'docker',
    'wrong',
    /no address/,
    /docker compose up -d docker-proxy`/,
  ],
  [
    'the filter answers that Docker is down',
    { docker: { reached: false, endpoint: 'tcp://docker-proxy:2375', problem: 'no Docker Engine answers at unix:///var/run/docker.sock' } },
    'docker',
    'wrong',
    /no Docker Engine/,
    /^Start Docker on the host: `systemctl start docker`/,
  ],
  [
    'no permission for Docker',
    { docker: { reached: false, endpoint: 'unix:///x', problem: 'no permission for unix:///x' } },
    'docker',
    'wrong',
    /no permission/,
    /group that owns the socket/,
  ],
  [
    'a Docker that does not answer in time',
    { docker: { reached: false, endpoint: 'unix:///x', problem: 'Docker at unix:///x did not answer in time' } },
    'docker',
    'wrong',
    /in time/,
    /overloaded.*restart docker/,
  ],
  ['a slow Docker', docker({ latencyMs: 2_500 }), 'docker-load', 'warning', /2\.5 s/, /MAX_CONCURRENT_PROVISIONS/],
  [
    'slow starts of containers',
    orchestratorShows({ 'orch_runtime_call_seconds_sum{call="start",success="true"}': 100 }),
    'docker-load',
    'warning',
    /20 s to start a container/,
  ],
  [
    'a Docker whose events do not arrive',
    orchestrator({ runtimeNote: 'no events arrive from the container runtime' }),
    'docker-events',
    'warning',
    /no events arrive/,
    /GET \/events/,
  ],
  [
    'engines of an earlier image',
    orchestratorShows({ orch_engines_outdated: 2 }),
    'outdated-engines',
    'warning',
    /2 engines run with an earlier image/,
    /DELETE \/containers/,
  ],
  [
    'no network',
    { ...settings({ DOCKER_NETWORK: 'tv' }), ...docker({ network: 'missing' }) },
    'network',
    'wrong',
    /network tv .* does not exist/,
    /docker network create tv/,
  ],
  [
    'an image that could not be refreshed',
    orchestrator({
      image: { name: 'x', state: 'present', percent: null, reason: 'the local copy is used, because the pull failed: denied' },
    }),
    'image',
    'warning',
    /the pull failed: denied/,
    /docker pull/,
  ],
  [
    'a missing image when a filter rejects its inspection',
    {
      ...docker({ image: 'unknown' }),
      ...orchestrator({ image: { name: 'x', state: 'missing', percent: null, reason: 'unauthorized: authentication required' } }),
    },
    'image',
    'wrong',
    /unauthorized: authentication required/,
    /docker pull/,
  ],
  [
    'no image, and none is pulled',
    { ...settings({ IMAGE_PULL: 'never' }), ...docker({ image: 'missing' }) },
    'image',
    'wrong',
    /is not on this/,
    /docker load/,
  ],
  [
    'an image that cannot be pulled',
    { ...docker({ image: 'missing' }), ...orchestrator({ image: { name: 'x', state: 'missing', percent: null, reason: 'denied' } }) },
    'image',
    'wrong',
    /denied/,
    /docker pull/,
  ],
  [
    'an image that is being pulled',
    { ...docker({ image: 'missing' }), ...orchestrator({ image: { name: 'x', state: 'pulling', percent: 40, reason: null } }) },
    'image',
    'warning',
    /40 %/,
  ],
  ['stuck containers', docker({ containers: { running: 2, exited: 3 } }), 'containers', 'warning', /exited \(3\)/, /POST \/gc/],
  [
    'a role file for another version of Gluetun',
    {
      ...behindVpn({ container: { status: 'restarting', health: null, version: 'v3.40.3' } }),
      gluetunRoles: 'routes = ["GET /v1/portforward"]',
    },
    'vpn-roles',
    'wrong',
    /gluetun names GET \/v1\/portforward, which Gluetun v3\.40\.3 does not know/,
    /GLUETUN_AUTH_CONFIG=auth-config\.v3\.40\.toml/,
  ],
  ['no VPN container', behindVpn({ container: null }, null), 'vpn', 'wrong', /the container gluetun does not exist/],
  [
    'a VPN container that has ended',
    behindVpn({ container: { status: 'exited', health: null, version: 'latest' } }),
    'vpn',
    'wrong',
    /is exited/,
    /docker logs gluetun/,
  ],
  ['a dead tunnel', behindVpn({}, { connected: false, forwarded_port: null }), 'vpn', 'wrong', /the tunnel is dead/, /restart gluetun/],
  [
    'a key that Gluetun rejects',
    behindVpn({ control: { ok: false, code: 'unauthorized', problem: 'Gluetun refuses' } }),
    'vpn',
    'wrong',
    /refuses/,
    /auth-config\.toml/,
  ],
  [
    'a VPN that fails its health check',
    behindVpn({ container: { status: 'running', health: 'unhealthy', version: 'v3.41.1' } }),
    'vpn',
    'warning',
    /health check/,
    /retries: 5/,
  ],
  ['a VPN without a forwarded port', behindVpn({}, { connected: true, forwarded_port: null }), 'vpn', 'warning', /forwards no port/],
  [
    'no orchestrator',
    { orchestrator: { reached: false, url: 'http://o:1', problem: 'nothing listens' } },
    'orchestrator',
    'wrong',
    /http:\/\/o:1/,
    /logs --tail=50 orchestrator/,
  ],
  [
    'an orchestrator that is not ready',
    orchestrator({ ready: { status: 503, problems: ['runtime: out of reach'] } }),
    'orchestrator',
    'wrong',
    /out of reach/,
  ],
  ['a large database', orchestratorShows({ 'orch_database_size_bytes{file="main"}': 3e9 }), 'database', 'warning', /3\.0 GB/, /VACUUM/],
  ['no proxy', { proxy: { reached: false, url: 'http://p:1', problem: 'nothing listens' } }, 'proxy', 'wrong', /http:\/\/p:1/],
  [
    'a proxy that is shutting down',
    proxy({ ready: { status: 503, problems: ['viewers: shutting down'] } }),
    'proxy',
    'wrong',
    /shutting down/,
  ],
  ['a proxy without an orchestrator', proxy({ orchestrator: 'not set' }), 'link', 'wrong', /no orchestrator/, /ACEXY_ORCH_URL/],
  ['a proxy that cannot reach the orchestrator', proxy({ orchestrator: 'away' }), 'link', 'wrong', /cannot reach/, /ACEXY_ORCH_TIMEOUT/],
  [
    'a proxy with the wrong key',
    orchestrator({ proxyKeyAccepted: false }),
    'link',
    'wrong',
    /rejects the key of the proxy/,
    /ACEXY_ORCH_APIKEY/,
  ],
  ['a proxy that says that its key is rejected', proxy({ orchestrator: 'unauthorized' }), 'link', 'wrong', /rejects the key of the proxy/],
  [
    'a proxy whose reports were rejected',
    {
      ...orchestrator({ proxyKeyAccepted: null }),
      ...proxyShows({
        'acexy_orchestrator_call_seconds_count{endpoint="report",outcome="unauthorized"}': 9,
        'acexy_orchestrator_call_seconds_count{endpoint="report",outcome="ok"}': 0,
      }),
    },
    'link',
    'wrong',
    /rejects the key/,
  ],
  [
    'calls near the timeout',
    proxyShows({
      'acexy_orchestrator_call_seconds_bucket{le="0.01",endpoint="report",outcome="ok"}': 50,
      'acexy_orchestrator_call_seconds_bucket{le="2.5",endpoint="report",outcome="ok"}': 100,
    }),
    'link',
    'warning',
    /2\.5 s; the timeout is 3\.0 s \(ACEXY_ORCH_TIMEOUT\)/,
  ],
  ['two versions', proxy({ version: '0.9.0' }), 'versions', 'warning', /orchestrator 1\.0\.0, proxy 0\.9\.0/],
  ['a doctor of another version', { version: '2.0.0' }, 'versions', 'warning', /the doctor is 2\.0\.0/],
  [
    'a proxy with a short timeout for the orchestrator',
    proxySettings({ orchestratorTimeoutMs: 500 }),
    'timeouts',
    'warning',
    /ACEXY_ORCH_TIMEOUT is 500 ms/,
    /10s/,
  ],
  ['a start timeout that is too short', proxySettings({ startTimeoutMs: 20_000 }), 'timeouts', 'warning', /ACEXY_START_TIMEOUT/],
  ['a provision timeout that is too short', settings({ PROVISION_TIMEOUT_S: '20' }), 'timeouts', 'warning', /PROVISION_TIMEOUT_S \(20 s\)/],
  [
    'a full pool',
    orchestratorShows({ 'orch_engines_use{use="free"}': 0, 'orch_engines_lifecycle{lifecycle="ready"}': 20, orch_leases_waiting: 2 }),
    'no-engines',
    'wrong',
    /2 streams wait.*the pool is full/,
    /MAX_REPLICAS/,
  ],
  [
    'no free engine, and none can be started',
    {
      ...orchestrator({
        scrape: scrapeOf({ ...ORCHESTRATOR_FIGURES, 'orch_engines_use{use="free"}': 0 }),
        status: { provisioning: { blocked_reason: 'the VPN is down' } } as never,
      }),
    },
    'no-engines',
    'wrong',
    /none can be started: the VPN is down/,
  ],
  ['no free engine', orchestratorShows({ 'orch_engines_use{use="free"}': 0 }), 'no-engines', 'warning', /0 of 5/, /scale\/10/],
  [
    'fewer free engines than MIN_REPLICAS',
    orchestratorShows({ 'orch_engines_use{use="free"}': 1 }),
    'no-engines',
    'warning',
    /fewer than MIN_REPLICAS/,
  ],
  [
    'an open breaker',
    breaker({ state: 'open', recovery_eta_seconds: 200, last_failure_reason: 'no space left on device' }),
    'circuit-breaker',
    'wrong',
    /open.*200 s: no space left/,
    /circuit-breaker\/reset/,
  ],
  [
    'a breaker that opens frequently',
    orchestratorShows({ 'orch_circuit_breaker_opened_total{operation_type="general"}': 4 }),
    'circuit-breaker',
    'warning',
    /opened 4 times/,
    /CIRCUIT_BREAKER_THRESHOLD=10/,
  ],
  ['a breaker that will open soon', breaker({ failure_count: 3 }), 'circuit-breaker', 'warning', /3 failures in a row: .* opens after 5/],
  [
    'starts that fail',
    orchestratorShows({ 'orch_provision_duration_seconds_count{success="false"}': 5 }),
    'slow-provisioning',
    'wrong',
    /5 of 10 starts/,
    /provisioning failed/,
  ],
  [
    'slow starts',
    orchestratorShows({ 'orch_provision_duration_seconds_sum{success="true"}': 300 }),
    'slow-provisioning',
    'warning',
    /60 s/,
    /PROVISION_STARTUP_GRACE_S/,
  ],
  [
    'starts that wait in the queue',
    {
      ...orchestrator({
        scrape: scrapeOf({ ...ORCHESTRATOR_FIGURES, orch_provision_queue_wait_seconds_sum: 150 }),
        provisioning: { queued: 12, remaining: 0 },
      }),
    },
    'rate-limit',
    'warning',
    /12 starts are queued/,
    /MAX_CONCURRENT_PROVISIONS/,
  ],
  [
    'some unhealthy engines',
    orchestratorShows({ 'orch_engines_total{health_status="unhealthy"}': 1 }),
    'unhealthy-engines',
    'warning',
    /1 of 6/,
    /DELETE \/containers/,
  ],
  [
    'mostly unhealthy engines',
    orchestratorShows({ 'orch_engines_total{health_status="unhealthy"}': 6 }),
    'unhealthy-engines',
    'wrong',
    /6 of 11/,
  ],
  [
    'a slow API',
    orchestrator({ latencyMs: { engines: 900, streams: 4 } }),
    'latency',
    'warning',
    /GET \/engines took 900 ms/,
    /ACEXY_ENGINE_CACHE_TTL_S=5/,
  ],
  ['a very slow API', orchestrator({ latencyMs: { engines: 4, streams: 4_000 } }), 'latency', 'wrong', /GET \/streams took 4\.0 s/],
  ['a proxy without a cache', proxySettings({ engineCacheTtlMs: 0 }), 'latency', 'warning', /ACEXY_ENGINE_CACHE_TTL_S=0/],
  [
    'starts that found no engine',
    proxyShows({ 'acexy_starts_total{outcome="no_engine"}': 10 }),
    'streams-start',
    'wrong',
    /10 of 30 starts.*no engine/,
  ],
  [
    'starts that received no byte',
    proxyShows({ 'acexy_starts_total{outcome="engines_silent"}': 10 }),
    'streams-start',
    'warning',
    /received no byte/,
    /curl -I/,
  ],
  [
    'starts that engines refuse',
    proxyShows({ 'acexy_starts_total{outcome="engines_refused"}': 10 }),
    'streams-start',
    'warning',
    /refused/,
  ],
];

describe('the doctor reports the problem and what to do:', () => {
  it.each(CASES)('%s', (_what, change, id, state, says, cure) => {
    const found = diagnose({ ...HEALTHY, ...change }).filter((diagnosis) => diagnosis.id === id && diagnosis.state === state);
    expect(found.map((diagnosis) => diagnosis.says)).toEqual([expect.stringMatching(says)]);
    expect(found[0].cure).toMatch(cure ?? /\w/);
    expect(exitCode(found)).toBe(state === 'wrong' ? 1 : 0);
  });

  it('has a case for every check', () => {
    expect(new Set(CASES.map(([, , id]) => id))).toEqual(new Set(CHECKS.map(({ id }) => id)));
  });
});

describe('what cannot be checked is unknown and counts as no fault:', () => {
  it.each<[string, Partial<Facts>, string[]]>([
    ['wrong settings', { settings: null, proxySettings: null, docker: null }, ['key', 'timeouts', 'engine-ports', 'docker', 'vpn']],
    ['engines that are processes', { docker: null }, ['docker', 'docker-load', 'network', 'image', 'containers']],
    ['a filter in front of Docker', docker({ host: null, image: 'unknown', network: 'unknown' }), ['network', 'image']],
    ['a doctor in a container', machine({ ports: [] }), ['ports']],
    [
      'services without metrics',
      { ...orchestrator({ scrape: null, version: null }), ...proxy({ scrape: null, version: null }) },
      ['no-engines', 'versions', 'streams-start'],
    ],
  ])('%s', (_what, change, ids) => {
    const diagnoses = diagnose({ ...HEALTHY, ...change });
    for (const id of ids) expect(diagnoses.filter((diagnosis) => diagnosis.id === id).map(({ state }) => state)).toEqual(['unknown']);
    expect(exitCode(diagnoses)).toBe(0);
  });
});

it('causes come before what follows from them: Docker, the services, the circuit breaker, the missing engine, the failed starts', () => {
  const { health } = HEALTHY_ORCHESTRATOR;
  const { general, replacement } = health!.circuit_breakers;
  const found = diagnose({
    ...HEALTHY,
    docker: { reached: false, endpoint: 'unix:///docker.sock', problem: 'no Docker Engine answers' },
    ...orchestrator({
      ready: { status: 503, problems: ['runtime: container runtime unreachable'] },
      scrape: scrapeOf({ ...ORCHESTRATOR_FIGURES, 'orch_engines_use{use="free"}': 0 }),
      status: { provisioning: { blocked_reason: 'container runtime unreachable' } } as never,
      health: { ...health!, circuit_breakers: { general: { ...general, state: 'open' }, replacement } },
    }),
    ...proxyShows({ 'acexy_starts_total{outcome="playing"}': 1, 'acexy_starts_total{outcome="no_engine"}': 30 }),
  });
  const wrongIds = found.filter(({ state }) => state === 'wrong').map(({ id }) => id);
  expect(wrongIds).toEqual(['docker', 'orchestrator', 'circuit-breaker', 'no-engines', 'streams-start']);
});

describe('with several replicas of the proxy, the doctor', () => {
  const replica = (address: string, change: Partial<Reached<ProxyFacts>> = {}): ProxyFacts => ({
    ...HEALTHY_PROXY,
    url: `http://${address}:8080`,
    ...change,
  });
  const found = (...[proxy, ...otherProxies]: ProxyFacts[]): string[] =>
    diagnose({ ...HEALTHY, ...machine({ ports: [] }), proxy, otherProxies }).map(({ id, state, says }) => `${state} ${id}: ${says}`);

  it('reports one result for each check when all are well', () => {
    const results = found(replica('10.0.0.2'), replica('10.0.0.3'), replica('10.0.0.4'));
    expect(results).toHaveLength(CHECKS.length);
    expect(results).toContain('good proxy: all 3 replicas are ready');
  });

  it('reports the problem of one with its address', () => {
    const results = found(replica('10.0.0.2'), replica('10.0.0.3', { orchestrator: 'unauthorized' }), {
      reached: false,
      url: 'http://10.0.0.4:8080',
      problem: 'nothing listens there',
    });
    expect(results.filter((result) => result.startsWith('wrong'))).toEqual([
      'wrong proxy: the proxy does not answer at http://10.0.0.4:8080: nothing listens there',
      'wrong link: http://10.0.0.3:8080: the orchestrator rejects the key of the proxy: no engine is leased, no stream is reported',
    ]);
  });

  it('reports a problem of all of them once', () => {
    const results = found(replica('10.0.0.2', { orchestrator: 'not set' }), replica('10.0.0.3', { orchestrator: 'not set' }));
    expect(results.filter((result) => result.startsWith('wrong'))).toEqual([expect.stringMatching(/^wrong link: the proxy has no/)]);
  });

  it('finds them by the addresses of their common name', async () => {
    const named = (...addresses: string[]): Promise<string[]> =>
      replicasAt('http://acexy:8080', () => Promise.resolve(addresses.map((address) => ({ address }))));
    expect(await named('10.0.0.3', '10.0.0.2')).toEqual(['http://10.0.0.2:8080', 'http://10.0.0.3:8080']);
    expect(await named('10.0.0.2')).toEqual(['http://acexy:8080']);
    expect(await replicasAt('http://acexy:8080', () => Promise.reject(new Error('ENOTFOUND')))).toEqual(['http://acexy:8080']);
  });
});

it('the report starts with what is wrong, causes before effects, each with its cure', () => {
  const text = report(
    diagnose({
      ...HEALTHY,
      docker: { reached: false, endpoint: 'unix:///x', problem: 'no Docker Engine answers at unix:///x' },
      ...orchestrator({ ready: { status: 503, problems: ['runtime: out of reach'] } }),
      ...proxySettings({ engineCacheTtlMs: 0 }),
    }),
  );
  expect(text).toMatch(/^WRONG[^]*1\. \[docker\][^]*-> Start it[^]*2\. \[orchestrator\][^]*WARNINGS[^]*\[latency\][^]*Good:[^]*Unknown:/);
  expect(text).toMatch(/2 wrong, 1 warnings\. Fix the first problem first/);
});
