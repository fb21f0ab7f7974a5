import { SILENT_LOG } from '@acexy/service-kit';
import Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ScriptedDocker } from '../../../../../test/doubles/orchestrator/scripted-docker.js';
import type { ListedContainer } from './docker-container.plan.js';
import { DockerLease } from './docker-lease.js';

/** How soon a running orchestrator lists the containers. */
const LIST_MS = 50;
const IN_USE = { code: 'installation_in_use', message: expect.stringContaining('process 1 on first') as string };

describe('two orchestrators with one installation id on one Docker Engine', () => {
  let docker: ScriptedDocker;
  let client: Docker;
  const leases: DockerLease[] = [];
  const timers: NodeJS.Timeout[] = [];

  beforeEach(async () => {
    docker = await ScriptedDocker.open();
    client = new Docker({ socketPath: docker.socketPath });
  });
  afterEach(async () => {
    timers.splice(0).forEach(clearInterval);
    for (const lease of leases.splice(0)) await lease.release();
    await docker.close();
  });

  function orchestrator(id: string, answerLimitMs = 15_000): DockerLease {
    const holder = { id, name: `process 1 on ${id}` };
    const lease = new DockerLease(
      { docker: client, holder, ownerLabel: 'installation=7', image: 'engine:1', network: null, log: SILENT_LOG },
      answerLimitMs,
    );
    leases.push(lease);
    return lease;
  }

  const list = async (): Promise<ListedContainer[]> => (await client.listContainers({ all: true })) as ListedContainer[];

  /** It lists its containers again and again, as a running orchestrator does. */
  function runs(lease: DockerLease): void {
    timers.push(setInterval(() => void list().then((containers) => lease.check(containers)), LIST_MS));
  }

  it('the second is refused while the first runs, and is told who that is', async () => {
    const first = orchestrator('first');
    await first.hold();
    runs(first);
    await expect(orchestrator('second').hold()).rejects.toMatchObject(IN_USE);
    await first.hold();
    expect(docker.names).toEqual(['acestream-orchestrator-lease-7']);
  });

  it('the second starts at once when the first has stopped', async () => {
    const first = orchestrator('first');
    await first.hold();
    await first.release();
    await orchestrator('second').hold();
    expect((await list())[0].Labels).toMatchObject({ 'acestream-orchestrator.holder': 'second process 1 on second' });
  });

  it('one that was killed and starts again with its database has the lease at once', async () => {
    await orchestrator('first').hold();
    await orchestrator('first').hold();
    expect(docker.names).toHaveLength(1);
  });

  it('the second takes over from one that was killed, and that one does nothing any more when it was only frozen', async () => {
    const first = orchestrator('first');
    await first.hold();
    const second = orchestrator('second', 300);
    await second.hold();
    const containers = await list();
    expect(() => second.check(containers)).not.toThrow();
    expect(() => first.check(containers)).toThrow('another orchestrator manages the engines');
    await expect(first.hold()).rejects.toMatchObject({ code: 'installation_in_use' });
    expect(docker.names).toEqual(['acestream-orchestrator-lease-7']);
  });

  it('of two that start at the same moment, one is refused', async () => {
    const [first, other] = [orchestrator('first'), orchestrator('other')];
    runs(first);
    runs(other);
    const outcomes = await Promise.allSettled([first.hold(), other.hold()]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('a lease that an operator removed is taken again', async () => {
    const first = orchestrator('first');
    await first.hold();
    await client.getContainer('acestream-orchestrator-lease-7').remove();
    first.check(await list());
    await first.hold();
    expect(docker.names).toEqual(['acestream-orchestrator-lease-7']);
  });

  it('nothing is refused while Docker cannot create the container', async () => {
    docker.faults.create = { status: 404, message: 'No such image: engine:1' };
    const first = orchestrator('first');
    await first.hold();
    delete docker.faults.create;
    await first.hold();
    expect(docker.names).toEqual(['acestream-orchestrator-lease-7']);
  });
});
