import type { StreamState } from '@acexy/contracts';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HAS_HAPROXY, Haproxy } from '../support/haproxy.js';
import { Pair, contentId } from '../support/pair.js';
import { freePorts } from '../support/ports.js';
import type { ServiceProcess } from '../support/service-process.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

interface Status {
  sessions: { stream_id: string; clients: number; stream: { key: string } }[];
}

interface Replica {
  address: string;
  service: ServiceProcess;
}

const CONTENTS = [1, 2, 3, 4, 5, 6].map(contentId);

describe.skipIf(!HAS_HAPROXY)('three replicas of the proxy behind the load balancer', () => {
  let pair: Pair;
  let balancer: Haproxy;
  let port: number;
  let replicas: Replica[];
  /** Two of each content: one writes the id in upper case. */
  let viewers: { content: string; viewer: Viewer }[];

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '2', MIN_PROVISION_INTERVAL_S: '0.05' },
      proxy: { ACEXY_LINGER: '100ms', ACEXY_DRAIN_TIMEOUT: '2s', ACEXY_DATA_DIR: 'data-of-replicas' },
    });
    await pair.proxy.stop();
    [port] = await freePorts(1);
    replicas = ['127.0.0.1', '127.0.0.2', '127.0.0.3'].map(replicaAt);
    await Promise.all(replicas.map(untilReady));
    balancer = await Haproxy.start(
      pair.folder,
      replicas.map(({ address }) => address),
      port,
    );
  });
  afterAll(async () => {
    await balancer?.stop();
    await Promise.all((replicas ?? []).map(({ service }) => service.stop()));
    await pair?.stop();
  });

  /** All replicas have one data folder and one port, as in containers with one volume. */
  const replicaAt = (address: string): Replica => ({
    address,
    service: pair.startProxy(port, { ACEXY_LISTEN_ADDR: `${address}:${port}` }),
  });
  const urlOf = ({ address }: Replica): string => `http://${address}:${port}`;
  const untilReady = (replica: Replica): Promise<true> =>
    until(`${replica.address} ready`, async () => (await fetch(`${urlOf(replica)}/health/ready`)).ok || null);
  const sessionsOf = async (replica: Replica): Promise<Status['sessions']> =>
    ((await (await fetch(`${urlOf(replica)}/ace/status`)).json()) as Status).sessions;
  const watch = (id: string): Promise<Viewer> => Viewer.open(`${balancer.url}/ace/getstream?id=${id}`, { keep: false });
  /** A viewer that plays. The load balancer needs seconds to notice that a proxy came or went, longer on a busy machine. */
  const watchSoon = (id: string): Promise<Viewer> =>
    until(`${id} plays`, async () => {
      const viewer = await watch(id);
      if (viewer.status === 200) return viewer;
      await viewer.leave();
      return null;
    });
  const idOf = ({ address }: Replica): string => {
    const folder = join(pair.folder, 'data-of-replicas');
    const file = readdirSync(folder).find((name) => name.endsWith(`-${address}-${port}.id`));
    return readFileSync(join(folder, file!), 'utf8');
  };

  it('all viewers of a content are on one replica with one engine session, every replica has contents, and each has an id of its own', async () => {
    const spellings = CONTENTS.flatMap((content) => [content, content.toUpperCase()].map((spelling) => ({ content, spelling })));
    viewers = await Promise.all(spellings.map(async ({ content, spelling }) => ({ content, viewer: await watchSoon(spelling) })));
    await Promise.all(viewers.map(({ viewer }) => viewer.untilBytes(300_000)));
    const perReplica = await Promise.all(replicas.map(sessionsOf));
    for (const sessions of perReplica) expect(sessions).not.toEqual([]);
    const found = perReplica.flat().map(({ clients, stream }) => `${stream.key}: ${clients}`);
    expect(found.sort()).toEqual(CONTENTS.map((content) => `${content}: 2`).sort());
    const sessions = (await pair.engineMetrics()).map((engine) => engine.sessions.opened);
    expect(sessions.reduce((sum, opened) => sum + opened)).toBe(CONTENTS.length);
    expect(new Set(replicas.map(idOf)).size).toBe(3);
  });

  it('when one is replaced, its viewers are served until the drain timeout and play on through another, nobody else notices, and its id lives on', async () => {
    const [replica] = replicas;
    const id = idOf(replica);
    const sessions = await sessionsOf(replica);
    const own = viewers.filter(({ content }) => sessions.some(({ stream }) => stream.key === content));
    const others = viewers.filter((each) => !own.includes(each));
    const atSignal = own.map(({ viewer }) => viewer.bytes);
    replica.service.kill('SIGTERM');

    await until('not ready', async () => (await fetch(`${urlOf(replica)}/health/ready`)).status === 503);
    const refused = await fetch(`${urlOf(replica)}/ace/getstream?id=${own[0].content}`);
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([503, 5]);
    expect(await refused.json()).toMatchObject({ error: 'the proxy is shutting down' });
    await Promise.all(own.map(({ viewer }, position) => viewer.untilBytes(atSignal[position] + 200_000)));

    await Promise.all(own.map(({ viewer }) => viewer.closed));
    expect(own.map(({ viewer }) => [viewer.ended, viewer.error])).toEqual(own.map(() => [true, null]));
    expect(await replica.service.exited).toEqual({ code: 0, signal: null });
    expect(replica.service.log).toContain('waiting for viewers to leave');
    await until('the end is listed', async () =>
      (await pair.api<StreamState[]>('/streams?status=ended')).some(({ id: stream }) => stream === sessions[0].stream_id),
    );

    // The container that replaces it has another address. The players reconnect meanwhile.
    const replacement = replicaAt('127.0.0.4');
    replicas = [replacement, ...replicas.slice(1)];
    balancer.addresses = replicas.map(({ address }) => address);
    for (const each of own) each.viewer = await watchSoon(each.content);
    await Promise.all(own.map(({ viewer }) => viewer.untilBytes(200_000)));
    await untilReady(replacement);
    expect(idOf(replacement)).toBe(id);
    await Promise.all(others.map(({ viewer }) => viewer.untilBytes(viewer.bytes + 200_000)));
    expect(others.map(({ viewer }) => viewer.ended)).toEqual(others.map(() => false));

    // Its contents are those of the replica that it replaced.
    await Promise.all(own.map(({ viewer }) => viewer.leave()));
    await until('new viewers reach the replacement', async () => {
      const viewer = await watchSoon(own[0].content);
      const reached = await sessionsOf(replacement);
      await viewer.leave();
      return reached.length > 0;
    });
    await Promise.all(others.map(({ viewer }) => viewer.leave()));
    await until('every session was stopped', async () => {
      const metrics = await pair.engineMetrics();
      return metrics.every(({ sessions }) => sessions.active === 0 && sessions.opened === sessions.stopped);
    });
  });
});
