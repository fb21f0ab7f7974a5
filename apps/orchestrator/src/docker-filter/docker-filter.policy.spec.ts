import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { documentedDockerCalls } from '../../../../test/support/documented-docker-calls.js';
import { INSTALLATION_LABEL } from '../runtime/engine-labels.js';
import type { EngineSpec } from '../runtime/engine-runtime.js';
import { type DockerPlacement, planContainer } from '../runtime/docker/docker-container.plan.js';
import { KNOWN_CALLS } from './docker-call.plan.js';
import { type FilterRules, type Forward, planCall, type Plan } from './docker-filter.policy.js';

const rules: FilterRules = {
  targetImage: 'engine',
  otherImages: ['registry:5000/a/other:2'],
  network: 'acestream',
  vpnContainers: ['gluetun'],
  project: null,
  installation: 'ours',
};
const placement: DockerPlacement = {
  network: 'acestream',
  engineHost: null,
  remoteHost: null,
  memoryBytes: 2 ** 29,
  mapHttps: true,
  engineBind: '127.0.0.1',
};
const spec: EngineSpec = {
  name: 'acestream-1',
  kind: 'acestream',
  env: { CONF: '--http-port=19000\n--bind-all' },
  labels: { 'acestream-orchestrator': 'true', [INSTALLATION_LABEL]: 'ours' },
  ports: { http: 19_000, https: 45_000, api: 62_062, p2p: 36_000 },
};

/** A body that a test makes wrong. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Body = Record<string, any>;

const plan = (call: string, body: unknown = '', changes: Partial<FilterRules> = {}): Plan => {
  const at = call.indexOf(' ');
  return planCall(
    { method: call.slice(0, at), url: call.slice(at + 1), body: typeof body === 'string' ? body : JSON.stringify(body) },
    { ...rules, ...changes },
  );
};
const create = (change: (body: Body) => unknown = () => undefined, changes: Partial<FilterRules> = {}): Plan => {
  const { name, ...body } = planContainer(spec, 'engine:latest', placement);
  change(body);
  return plan(`POST /containers/create?name=${name}`, body, changes);
};
const reasonOf = (given: Plan): string => (given.kind === 'deny' ? given.reason : given.kind);
const found = (labels: Record<string, string | undefined>, name = '/other') => ({
  Id: 'c0ffee',
  Name: name,
  Created: 'then',
  State: { Status: 'running', Running: true, Health: { Status: 'healthy', Log: [{ Output: 'secret' }] } },
  Config: { Image: 'image:v3.41.1', Env: ['PASSWORD=secret'], Labels: { ...labels, other: 'secret' } },
  HostConfig: { Binds: ['/secret'] },
  Args: ['secret'],
  NetworkSettings: { Networks: { acestream: { IPAddress: '10.0.0.2' } }, SandboxKey: 'secret' },
});
const afterLookUp = (call: string, container: object, changes: Partial<FilterRules> = {}): Plan => {
  const first = plan(call, '', changes);
  if (first.kind !== 'look up') throw new Error(`no look-up: ${reasonOf(first)}`);
  return first.then(container as Record<string, unknown>);
};

describe('the filter in front of Docker', () => {
  it('knows exactly the calls in docs/security.md', () => {
    const documented = (['always', 'behind a VPN', 'doctor'] as const).flatMap(documentedDockerCalls).map(({ name }) => name);
    expect([...KNOWN_CALLS].sort()).toEqual(documented.sort());
  });

  const refused = readFileSync(new URL('fixtures/refused-calls.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  it.each(refused.map((line) => Object.values(JSON.parse(line) as Record<string, string>)))('refuses %s', (call, reason) => {
    expect(plan(call)).toEqual({ kind: 'deny', reason: expect.stringContaining(reason) });
  });

  it.each(['/_ping', '/version', '/info', '/networks/acestream', '/images/engine/json', '/images/registry:5000/a/other:2/json'])(
    'allows the doctor and the orchestrator GET %s, with and without a version',
    (path) => {
      expect([plan(`GET ${path}`), plan(`GET /v1.41${path}`)]).toMatchObject([
        { kind: 'forward', method: 'GET', path },
        { kind: 'forward', method: 'GET', path: `/v1.41${path}` },
      ]);
    },
  );

  it('shows of the machine and of the network only what the doctor reads', () => {
    expect((plan('GET /info') as Forward).fields).toEqual(['MemTotal', 'NCPU', 'ServerVersion', 'SystemTime']);
    expect((plan('GET /networks/acestream') as Forward).fields).toEqual(['Name', 'Id', 'Driver', 'Scope']);
  });

  it.each(['engine', 'engine:latest', 'docker.io/library/engine:latest', 'registry:5000/a/other:2'])('allows the image %s', (image) => {
    expect(create((body) => (body.Image = image)).kind).toBe('forward');
  });

  it('names the setting when it refuses an image', () => {
    expect(reasonOf(create((body) => (body.Image = 'evil')))).toBe(
      'image evil is neither TARGET_IMAGE (engine) nor in ALLOWED_IMAGES (registry:5000/a/other:2): add it to ALLOWED_IMAGES and restart the filter',
    );
  });

  it.each<[string, (body: Body) => unknown]>([
    ['HostConfig.Binds', ({ HostConfig }) => (HostConfig.Binds = ['/:/host'])],
    ['HostConfig.binds', ({ HostConfig }) => (HostConfig.binds = ['/:/host'])],
    ['HostConfig.Mounts', ({ HostConfig }) => (HostConfig.Mounts = [])],
    ['HostConfig.Privileged', ({ HostConfig }) => (HostConfig.Privileged = true)],
    ['HostConfig.CapAdd', ({ HostConfig }) => (HostConfig.CapAdd = ['SYS_ADMIN'])],
    ['HostConfig.Devices', ({ HostConfig }) => (HostConfig.Devices = [])],
    ['HostConfig.PidMode', ({ HostConfig }) => (HostConfig.PidMode = 'host')],
    ['HostConfig.VolumesFrom', ({ HostConfig }) => (HostConfig.VolumesFrom = ['gluetun'])],
    ['HostConfig.NetworkMode', ({ HostConfig }) => (HostConfig.NetworkMode = 'host')],
    ['HostConfig.NetworkMode', ({ HostConfig }) => (HostConfig.NetworkMode = 'container:database')],
    ['HostConfig.NetworkMode', ({ HostConfig }) => (HostConfig.NetworkMode = ['acestream'])],
    ['HostConfig.NetworkMode', ({ HostConfig }) => delete HostConfig.NetworkMode],
    ['HostConfig.LogConfig', ({ HostConfig }) => (HostConfig.LogConfig = { Type: 'syslog', Config: {} })],
    ['HostConfig.RestartPolicy', ({ HostConfig }) => (HostConfig.RestartPolicy = { Name: 'always' })],
    ['HostConfig.PortBindings', ({ HostConfig }) => (HostConfig.PortBindings = { '80/tcp': [{ HostIp: 'x', HostPort: '80' }] })],
    ['HostConfig.PortBindings', ({ HostConfig }) => (HostConfig.PortBindings = { '80/tcp': [{ HostIp: '', HostPort: '80', Other: 1 }] })],
    ['HostConfig.PortBindings', ({ HostConfig }) => (HostConfig.PortBindings = { '80/tcp': [null] })],
    ['HostConfig.Memory', ({ HostConfig }) => (HostConfig.Memory = -1)],
    ['HostConfig.Memory', ({ HostConfig }) => (HostConfig.Memory = 1.5)],
    ['HostConfig.NetworkMode must be acestream or container:gluetun', (body) => delete body.HostConfig],
    ['Image and Labels must be set', (body) => delete body.Image],
    ['Image and Labels must be set', (body) => delete body.Labels],
    ['Image must be a text', (body) => (body.Image = ['engine'])],
    ['Labels must be texts', ({ Labels }) => (Labels.other = 5)],
    ['ExposedPorts must be an object of ports', (body) => (body.ExposedPorts = { '80/tcp': { other: 1 } })],
    ['Cmd', (body) => (body.Cmd = ['sh'])],
    ['Entrypoint', (body) => (body.Entrypoint = ['sh'])],
    ['Volumes', (body) => (body.Volumes = {})],
    ['User', (body) => (body.User = '0')],
    ['NetworkingConfig', (body) => (body.NetworkingConfig = {})],
    ['Labels must have acestream-orchestrator.installation', ({ Labels }) => delete Labels[INSTALLATION_LABEL]],
    ['Labels must have acestream-orchestrator.spec', ({ Labels }) => delete Labels['acestream-orchestrator.spec']],
    ['installation ours since its start, not other', ({ Labels }) => (Labels[INSTALLATION_LABEL] = 'other')],
  ])('refuses to create a container because of %s', (reason, change) => {
    expect(reasonOf(create(change))).toContain(reason);
  });

  it('allows any memory limit of a whole number of bytes, and 0, which is none', () => {
    expect(create((body) => (body.HostConfig.Memory = 0)).kind).toBe('forward');
  });

  it('without DOCKER_NETWORK allows no network by name, and nothing but an object as HostConfig', () => {
    const without = { network: null, vpnContainers: [] };
    expect(create(({ HostConfig }) => delete HostConfig.NetworkMode, without).kind).toBe('forward');
    expect(reasonOf(create(undefined, without))).toContain(
      'HostConfig.NetworkMode="acestream" is not allowed: it must be absent (DOCKER_NETWORK',
    );
    for (const value of [5, 'x', [], null])
      expect(reasonOf(create((body) => (body.HostConfig = value), without))).toContain('must be an object');
  });

  it('names the networks that an engine may use', () => {
    const refusal = (changes: Partial<FilterRules>) =>
      reasonOf(create(({ HostConfig }) => (HostConfig.NetworkMode = 'null_acestream'), changes));
    expect(refusal({})).toContain('it must be acestream or container:gluetun (');
    expect(refusal({ vpnContainers: [] })).toContain('it must be acestream (');
  });

  it('never lets an engine use the network of the host, whatever DOCKER_NETWORK is', () => {
    for (const network of ['host', 'container:database'])
      expect(reasonOf(create((body) => (body.HostConfig.NetworkMode = network), { network }))).toContain('HostConfig.NetworkMode');
  });

  it('lists only containers of the installation, whatever the caller asks for', () => {
    const filtersOf = (given: Plan) => new URL((given as Forward).path, 'http://docker').searchParams.get('filters');
    const own = `${INSTALLATION_LABEL}=ours`;
    expect(filtersOf(plan('GET /containers/json'))).toBe(JSON.stringify({ label: [own] }));
    expect(filtersOf(plan('GET /containers/json?all=true&filters={"label":["a"]}'))).toBe(JSON.stringify({ label: ['a', own] }));
    expect(filtersOf(plan('GET /containers/json', '', { installation: null }))).toBe(JSON.stringify({ label: [INSTALLATION_LABEL] }));
    expect(filtersOf(plan('GET /events?filters={"type":["container"],"event":["die"]}'))).toContain(own);
  });

  it('allows events of the named Gluetun containers, and asks Docker for nothing else', () => {
    const filters = '{"type":["container"],"event":["die"],"container":["gluetun"]}';
    expect(plan(`GET /events?filters=${filters}`)).toMatchObject({
      kind: 'forward',
      path: `/events?${new URLSearchParams({ filters }).toString()}`,
    });
  });

  it.each([
    ['fromImage=engine&tag=latest', []],
    ['fromImage=registry:5000/a/other&tag=2', []],
    ['fromImage=a/pinned&tag=sha256:0', ['a/pinned@sha256:0']],
  ])('allows the pull %s of an allowed image', (query, more) => {
    expect(plan(`POST /images/create?${query}`, '', { otherImages: [...rules.otherImages, ...more] }).kind).toBe('forward');
  });

  it.each(['', 'x', '[]', 'null', '"text"'])('refuses to create a container from the body %j', (body) => {
    expect(reasonOf(plan('POST /containers/create', body))).toBe('the body of a create must be a JSON object');
  });

  it('waits for a container as long as it has to stop, and a minute more', () => {
    const limitOf = (call: string) => (afterLookUp(call, found({ [INSTALLATION_LABEL]: 'ours' })) as Forward).limitMs;
    expect(limitOf('POST /containers/x/stop?t=5')).toBe(65_000);
    expect(limitOf('POST /containers/x/start')).toBe(60_000);
  });

  it('names the setting that is not set when it refuses a network', () => {
    expect(reasonOf(plan('GET /networks/bridge', '', { network: null }))).toBe('network bridge is not DOCKER_NETWORK (not set)');
  });

  it('serves the installation that the first call after its start names', () => {
    const call = `GET /containers/json?filters={"label":["${INSTALLATION_LABEL}=new"]}`;
    expect(plan(call, '', { installation: null })).toMatchObject({ kind: 'forward', installation: 'new' });
    expect(create(undefined, { installation: null })).toMatchObject({ kind: 'forward', installation: 'ours' });
  });

  it.each([
    'POST /containers/NAME/start',
    'POST /containers/NAME/stop?t=5',
    'POST /containers/NAME/restart?t=5',
    'DELETE /containers/NAME?force=true',
  ])('allows %s only for containers of the installation, and sends it with the id that was looked up', (call) => {
    expect(afterLookUp(call, found({ [INSTALLATION_LABEL]: 'ours' }))).toMatchObject({
      kind: 'forward',
      path: call.replace(/^\w+ /, '').replace('NAME', 'c0ffee'),
    });
    for (const labels of [{}, { [INSTALLATION_LABEL]: 'other' }, { 'acestream-orchestrator': 'true' }])
      expect(reasonOf(afterLookUp(call, found(labels)))).toContain('has not the label');
    expect(reasonOf(afterLookUp(call, found({}, '/gluetun')))).toContain('has not the label');
  });

  it('shows a container of the installation whole, the named Gluetun without its settings, and no other', () => {
    expect(afterLookUp('GET /containers/x/json', found({ [INSTALLATION_LABEL]: 'ours' }))).toMatchObject({ body: { Args: ['secret'] } });
    const gluetun = afterLookUp('GET /containers/gluetun/json', found({}, '/gluetun'));
    expect(gluetun).toMatchObject({
      kind: 'reply',
      body: { Id: 'c0ffee', Name: '/gluetun', State: { Running: true }, Config: { Image: 'image:v3.41.1' } },
    });
    expect(JSON.stringify(gluetun)).not.toContain('secret');
    expect(reasonOf(afterLookUp('GET /containers/x/json', found({})))).toContain('has not the label');
  });

  it('shows of Gluetun only what Docker says, even when Docker says less than usual', () => {
    const ask = (container: object) => afterLookUp('GET /containers/gluetun/json', { Name: '/gluetun', ...container });
    expect(ask({ State: { Running: true }, Config: { Labels: null } })).toEqual({
      kind: 'reply',
      body: { Name: '/gluetun', State: { Running: true }, Config: { Labels: {} }, NetworkSettings: {} },
    });
    expect(ask({})).toMatchObject({ kind: 'reply' });
  });

  it('never takes a container for its own without the name of an installation, not even before the first call names one', () => {
    for (const label of [undefined, '', 5]) {
      const container = { ...found({}), Config: { Labels: { [INSTALLATION_LABEL]: label } } };
      expect(reasonOf(afterLookUp('DELETE /containers/x', container, { installation: null }))).toBe(
        `container x has not the label ${INSTALLATION_LABEL}=…`,
      );
    }
    expect(reasonOf(afterLookUp('DELETE /containers/x', found({})))).toBe(`container x has not the label ${INSTALLATION_LABEL}=ours`);
  });

  it('in a compose project it also knows the network and the services by the name of the project, and of the services only state and addresses', () => {
    const project = 'tv';
    expect(create((body) => (body.HostConfig.NetworkMode = 'tv_acestream'), { project }).kind).toBe('forward');
    expect(plan('GET /networks/tv_acestream', '', { project }).kind).toBe('forward');
    expect(create((body) => (body.HostConfig.NetworkMode = 'other_acestream'), { project }).kind).toBe('deny');
    const service = found({ 'com.docker.compose.project': 'tv' });
    expect(JSON.stringify(afterLookUp('GET /containers/x/json', service, { project }))).not.toContain('secret');
    expect(afterLookUp('GET /containers/x/json', service, { project })).toMatchObject({
      body: { NetworkSettings: { Networks: { acestream: {} } } },
    });
    expect(reasonOf(afterLookUp('DELETE /containers/x', service, { project }))).toContain('has not the label');
    expect(reasonOf(afterLookUp('GET /containers/x/json', found({ 'com.docker.compose.project': 'web' }), { project }))).toContain('label');
  });

  const port = fc.integer({ min: 1, max: 65_535 });
  const anySpec = fc.record<EngineSpec>({
    name: fc.constant('acestream-1'),
    kind: fc.constantFrom('acestream', 'generic'),
    env: fc.dictionary(fc.string(), fc.string()),
    labels: fc.dictionary(fc.string(), fc.string()).map((labels) => ({ ...labels, [INSTALLATION_LABEL]: 'ours' })),
    ports: fc.record({ http: port, https: port, api: port, p2p: port }),
    publish: fc.dictionary(
      fc.tuple(port, fc.constantFrom('tcp', 'udp')).map((parts) => parts.join('/')),
      port,
    ),
  });
  const anyPlacement = fc.record<DockerPlacement>({
    network: fc.constant('acestream'),
    engineHost: fc.constant(null),
    remoteHost: fc.constant(null),
    memoryBytes: fc.option(fc.nat()),
    mapHttps: fc.boolean(),
    engineBind: fc.constantFrom('', '127.0.0.1', '::1'),
  });

  it('allows every container that the orchestrator can create', () => {
    fc.assert(
      fc.property(anySpec, anyPlacement, fc.boolean(), (engine, at, behindVpn) => {
        const { name, ...body } = planContainer({ ...engine, ...(behindVpn && { joins: 'gluetun' }) }, 'engine', at);
        expect(plan(`POST /containers/create?name=${name}`, body)).toMatchObject({ kind: 'forward', body: JSON.stringify(body) });
      }),
    );
  });

  it('sends no field to Docker that the orchestrator does not send, whatever the body is', () => {
    const knownFields = new Set(['Image', 'Env', 'Labels', 'ExposedPorts', 'HostConfig']);
    const knownHostFields = new Set(['PortBindings', 'RestartPolicy', 'LogConfig', 'NetworkMode', 'Memory']);
    const field = fc.oneof(
      fc.constantFrom('Binds', 'binds', 'Privileged', 'Mounts', 'NetworkMode', 'PidMode', 'Image', '__proto__', 'constructor', 'Memory'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.boolean(), field, fc.jsonValue(), (inHost, name, value) => {
        const { name: _, ...body } = planContainer(spec, 'engine', placement);
        const target = inHost ? body.HostConfig : body;
        Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
        const decided = plan('POST /containers/create?name=a', body);
        if (decided.kind !== 'forward') return;
        const sent = JSON.parse(decided.body ?? '') as { HostConfig: Record<string, unknown>; Image: string };
        expect(Object.keys(sent).filter((key) => !knownFields.has(key))).toEqual([]);
        expect(Object.keys(sent.HostConfig).filter((key) => !knownHostFields.has(key))).toEqual([]);
        expect(sent.HostConfig.NetworkMode).toBe('acestream');
        expect(['engine', 'engine:latest']).toContain(sent.Image);
      }),
      { numRuns: 500 },
    );
  });

  it('never throws, and sends no path to Docker that is not on its list', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'containers',
        'json',
        'images',
        'create',
        'v1.41',
        '..',
        '%2e%2e',
        '%2F',
        '',
        'events',
        'networks',
        'engine',
        'x?all=1',
        '#',
        '\\',
      ),
      fc.string(),
    );
    const method = fc.constantFrom('GET', 'POST', 'DELETE', 'PUT', 'HEAD');
    const allowed =
      /^(?:\/v1\.\d+)?\/(?:_ping|version|info|events|containers\/json|containers\/create|networks\/acestream|images\/create|images\/(?:engine|registry:5000\/a\/other)[^/]*\/json)(?:\?|$)/;
    fc.assert(
      fc.property(method, fc.array(piece, { maxLength: 6 }), fc.string(), (verb, pieces, body) => {
        const decided = planCall({ method: verb, url: `/${pieces.join('/')}`, body }, rules);
        if (decided.kind === 'forward') expect(decided.path).toMatch(allowed);
        if (decided.kind === 'look up') expect(decided.container).toMatch(/^[A-Za-z0-9][\w.-]*$/);
      }),
      { numRuns: 2000 },
    );
  });
});
