import type { ContainerInfo, ProvisionResponse } from '@acexy/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import {
  AUTH,
  eventually,
  ListeningEngines,
  startOrchestrator,
  type TestOptions,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import { startFailure } from '../../../../test/doubles/orchestrator/fake-engine-runtime.js';

class Containers extends ListeningEngines {
  override readonly name = 'docker';

  override restarted(): Containers {
    return new Containers(this.world, this.servers);
  }
}

describe('POST /provision', () => {
  let orchestrator: TestOrchestrator;
  afterEach(() => orchestrator.close());

  const start = async (options: TestOptions = {}): Promise<void> => {
    orchestrator = await startOrchestrator({ runtime: new Containers(), ...options });
  };
  const provision = (body: object = {}) => orchestrator.http.post('/provision').set(AUTH).send(body);
  const made = async (body: object = {}): Promise<ProvisionResponse> => {
    const response = await provision(body);
    expect([response.status, response.body]).toMatchObject([200, {}]);
    return response.body as ProvisionResponse;
  };
  const byLabel = async (query: string): Promise<string[]> => {
    const { status, body } = await orchestrator.http.get(`/by-label?${query}`).set(AUTH);
    expect(status).toBe(200);
    return (body as ContainerInfo[]).map(({ id }) => id).sort();
  };
  const detailOf = async (body: object): Promise<[number, string]> => {
    const { status, body: answer } = await provision(body);
    return [status, (answer as { detail: string }).detail];
  };

  it('starts a container with the caller’s name, image, environment, labels and ports', async () => {
    await start();
    const answer = await made({
      image: 'nginx:1',
      env: { MODE: 'quiet' },
      labels: { tier: 'gold' },
      ports: { '40001/tcp': 19001, '40001/udp': 19001 },
      name_prefix: 'web',
      colour: 'blue',
    });
    expect(Object.keys(answer).sort()).toEqual(['container_id', 'container_name']);
    expect(answer.container_name).toMatch(/^web-[0-9a-f]{8}$/);
    expect(orchestrator.runtime.startCalls).toMatchObject([
      { kind: 'generic', image: 'nginx:1', env: { MODE: 'quiet' }, publish: { '40001/tcp': 19001, '40001/udp': 19001 } },
    ]);
    expect((await orchestrator.http.get(`/containers/${answer.container_id}`)).body).toMatchObject({
      name: answer.container_name,
      status: 'running',
      labels: { tier: 'gold', 'orchestrator.managed': 'acestream' },
      ports: { '40001/tcp': [{ HostPort: '19001' }] },
    });
  });

  it('accepts a request without a body and null fields', async () => {
    await start();
    expect((await made()).container_name).toMatch(/^svc-/);
    expect((await orchestrator.http.post('/provision').set(AUTH)).status).toBe(200);
    await made({ image: null, env: null, labels: null, ports: null, name_prefix: null });
  });

  it.each([
    [{ ports: { '40001': 19001 } }, 'ports has the key "40001", which must be a port and its protocol'],
    [{ ports: { '70000/tcp': 19001 } }, 'ports has the key "70000/tcp"'],
    [{ ports: { '40001/sctp': 19001 } }, 'ports has the key "40001/sctp"'],
    [{ ports: { '40001/tcp': 0 } }, 'ports maps "40001/tcp" to host port 0, which must be a whole number from 1 to 65535'],
    [{ ports: { '40001/tcp': '19001' } }, 'ports maps "40001/tcp" to host port "19001"'],
    [{ ports: { '1/tcp': 19001, '2/tcp': 19001 } }, 'ports uses host port 19001/tcp twice'],
    [{ ports: [] }, 'ports must be an object'],
    [{ image: 'no image' }, 'image must be an image reference'],
    [{ env: { A: 1 } }, 'env must be an object whose values are strings'],
    [{ labels: 'gold' }, 'labels must be an object whose values are strings'],
    [{ name_prefix: '-x' }, 'name_prefix must be letters, digits'],
    [{ name_prefix: '' }, 'name_prefix must be'],
  ])('%j is refused, and the answer names the field and the valid values', async (body, detail) => {
    await start();
    expect(await detailOf(body)).toEqual([400, expect.stringContaining(detail)]);
    expect(orchestrator.runtime.startCalls).toEqual([]);
  });

  it('a port of an engine, container or other program is refused, and the answer names the owner', async () => {
    await start();
    const engine = await orchestrator.http.post('/provision/acestream').set(AUTH).send({ host_port: 19100 });
    const { container_name: owner } = engine.body as ProvisionResponse;
    expect(await detailOf({ ports: { '80/tcp': 19100 } })).toEqual([400, `ports: port 19100 belongs to ${owner}, choose another`]);
    const { container_name: first } = await made({ ports: { '80/tcp': 18080 } });
    expect(await detailOf({ ports: { '80/tcp': 18080 } })).toEqual([400, `ports: port 18080 belongs to ${first}, choose another`]);
    orchestrator.runtime.world.occupiedPorts.add(18081);
    expect(await detailOf({ ports: { '80/tcp': 18081 } })).toEqual([400, 'ports: port 18081 is in use by another program, choose another']);
    expect((await orchestrator.http.get('/health/ready')).body).toMatchObject({ circuit_state: 'closed' });
  });

  it('no engine gets a port of such a container', async () => {
    await start();
    const { container_name: owner } = await made({ ports: { '80/tcp': 19200 } });
    const { body } = await orchestrator.http.post('/provision/acestream').set(AUTH).send({ host_port: 19200 });
    expect(body).toMatchObject({ detail: { message: `port 19200 belongs to ${owner}` } });
  });

  it('callers cannot set the labels of the orchestrator', async () => {
    await start();
    const labels = {
      'orchestrator.managed': 'no',
      'acestream-orchestrator': 'true',
      'acestream-orchestrator.installation': 'theirs',
      'acestream-orchestrator.spec': 'acestream 1 2 3 4',
      mine: 'yes',
    };
    const { container_id: id } = await made({ labels });
    const { body } = await orchestrator.http.get(`/containers/${id}`);
    const { 'acestream-orchestrator.installation': installation, ...rest } = (body as ContainerInfo).labels;
    expect(rest).toEqual({ mine: 'yes', 'orchestrator.managed': 'acestream' });
    expect(installation).not.toBe('theirs');
  });

  it('is not an engine: neither listed nor leased as one, and not counted for MAX_REPLICAS', async () => {
    await start({ env: { MAX_REPLICAS: '1' } });
    await made();
    await made();
    expect((await orchestrator.http.get('/engines?state=all')).body).toEqual([]);
    expect((await orchestrator.http.post('/provision/acestream').set(AUTH)).status).toBe(200);
    expect((await orchestrator.http.post('/provision/acestream').set(AUTH)).status).toBe(503);
    expect((await orchestrator.http.get('/metrics')).text).toMatch(/orch_provision_total\{kind="generic"\} [1-9]/);
  });

  it('is found after a restart with its port, and can be deleted', async () => {
    await start();
    const { container_id: id } = await made({ labels: { tier: 'gold' }, ports: { '80/tcp': 18090 } });
    await orchestrator.stop();
    const { runtime } = orchestrator;
    await start({ runtime: runtime.restarted() });
    // The database is new, so the installation differs; this runtime does not separate installations.
    await eventually(
      () => byLabel('key=tier&value=gold'),
      (ids) => ids.includes(id),
    );
    expect(await detailOf({ ports: { '80/tcp': 18090 } })).toEqual([400, expect.stringContaining('port 18090 belongs to svc-')]);
    const deleted = await orchestrator.http.delete(`/containers/${id}`).set(AUTH);
    expect([deleted.status, deleted.body]).toEqual([200, { deleted: id }]);
    expect(await byLabel('key=tier')).toEqual([]);
    await made({ ports: { '80/tcp': 18090 } });
  });

  it('an exited container stays until its owner restarts or deletes it', async () => {
    await start({ env: { MONITOR_INTERVAL_S: '0.1' } });
    const { container_id: id } = await made({ labels: { tier: 'gold' } });
    orchestrator.runtime.die(id, 3);
    await eventually(
      async () => ((await orchestrator.http.get(`/containers/${id}`)).body as ContainerInfo).status,
      (status) => status === 'exited',
    );
    expect(orchestrator.runtime.removeCalls).toEqual([]);
    expect((await orchestrator.http.delete(`/containers/${id}`).set(AUTH)).status).toBe(200);
  });

  it('a failed start is reported to the caller, releases the ports and does not open the circuit breaker', async () => {
    await start({ env: { CIRCUIT_BREAKER_THRESHOLD: '1' } });
    orchestrator.runtime.knobs.failStart = () => startFailure('exec: "nonsense": not found');
    const failed = await provision({ ports: { '80/tcp': 18100 } });
    expect([failed.status, failed.body]).toMatchObject([
      500,
      { detail: { code: 'general_error', message: 'exec: "nonsense": not found' } },
    ]);
    expect(failed.headers['x-ratelimit-provisioning-limit']).toBe('5');
    orchestrator.runtime.knobs.failStart = () => null;
    await made({ ports: { '80/tcp': 18100 } });
    expect((await orchestrator.http.get('/health/ready')).body).toMatchObject({ circuit_state: 'closed' });
  });

  it('is refused while the circuit breaker is open', async () => {
    await start({ env: { CIRCUIT_BREAKER_THRESHOLD: '1' } });
    orchestrator.runtime.knobs.failStart = () => startFailure();
    await orchestrator.http.post('/provision/acestream').set(AUTH);
    const refused = await provision();
    expect([refused.status, refused.body]).toMatchObject([503, { detail: { code: 'circuit_breaker' } }]);
    expect(refused.headers['x-circuit-state']).toBe('open');
  });

  it('requires the API key, and answers 501 when engines are processes', async () => {
    await start({ runtime: new ListeningEngines() });
    expect((await orchestrator.http.post('/provision')).status).toBe(401);
    expect(await detailOf({})).toEqual([501, expect.stringContaining('ENGINE_RUNTIME=docker')]);
  });
});

describe('GET /by-label', () => {
  let orchestrator: TestOrchestrator;
  afterEach(() => orchestrator.close());

  it('lists containers and engines with the label, from memory', async () => {
    orchestrator = await startOrchestrator({ runtime: new Containers() });
    const { http, runtime } = orchestrator;
    const ids = async (query: string): Promise<string[]> =>
      ((await http.get(`/by-label?${query}`).set(AUTH)).body as ContainerInfo[]).map(({ id }) => id);
    const gold = (
      await http
        .post('/provision/acestream')
        .set(AUTH)
        .send({ labels: { tier: 'gold' } })
    ).body as ProvisionResponse;
    const tin = (
      await http
        .post('/provision')
        .set(AUTH)
        .send({ labels: { tier: 'tin' } })
    ).body as ProvisionResponse;
    runtime.knobs.listFails = new Error('Docker is away');
    expect(await ids('key=tier&value=gold')).toEqual([gold.container_id]);
    expect(await ids('key=tier')).toEqual([gold.container_id, tin.container_id]);
    expect(await ids('key=orchestrator.managed&value=acestream')).toHaveLength(2);
    expect(await ids('key=tier&value=')).toEqual([]);
    expect(await ids('key=toString')).toEqual([]);
  });

  it('requires the API key and the name of a label', async () => {
    orchestrator = await startOrchestrator();
    expect((await orchestrator.http.get('/by-label?key=tier')).status).toBe(401);
    const { status, body } = await orchestrator.http.get('/by-label?value=gold').set(AUTH);
    expect([status, (body as { detail: string }).detail]).toEqual([400, 'key must be the name of a label']);
    expect((await orchestrator.http.get('/by-label?key=a&key=b').set(AUTH)).status).toBe(400);
  });
});
