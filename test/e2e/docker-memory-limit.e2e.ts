/** The proxy in a container with a small memory limit and the kernel setting of the compose files, under everything that uses memory at once. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Container, ContainerCreateOptions } from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOCKER_MISSING, SIMULATOR_IMAGE, docker, removeContainersWith } from '../support/docker.js';
import { contentId } from '../support/pair.js';
import { scrapeOf } from '../support/scrape-of.js';
import { ROOT } from '../support/service-process.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

const MIB = 2 ** 20;
const LIMIT_BYTES = 512 * MIB;
/** Room for seven streams of 8 Mb/s. */
const BUFFER_BYTES = 32 * MIB;
const STREAMS = 7;
const JOINS = 400;
/** More than fit into the rest of the memory: 181, of 1.5 MiB each. */
const STALLED = 400;
const MAX_STALLED = 181;
/** Control groups of version 1 count socket buffers apart, and only if they have a limit. */
const VERSION_1 = '/sys/fs/cgroup/memory';
const SOCKETS = 'memory.kmem.tcp.usage_in_bytes';
const LABEL = `memory-limit-test=${process.pid}`;

async function start(options: ContainerCreateOptions): Promise<Container> {
  const [name, value] = LABEL.split('=');
  const container = await docker.createContainer({ Image: SIMULATOR_IMAGE, Labels: { [name]: value }, ...options });
  await container.start();
  return container;
}

const addressOf = async (container: Container): Promise<string> => (await container.inspect()).NetworkSettings.Networks.bridge.IPAddress;

describe.skipIf(DOCKER_MISSING !== null)(`a proxy in a container with ${LIMIT_BYTES / MIB} MiB`, () => {
  const watching: Viewer[] = [];
  const stalled: Socket[] = [];
  let proxy: Container;
  let host: string;
  /** Its control group. */
  let folder: string;
  let mostBytes = 0;
  let isOver = false;
  let sampling = Promise.resolve();

  beforeAll(async () => {
    const engine = await start({ Env: ['BIND_ALL=true', 'SIM_BITRATE=8000000', 'SIM_BOOT_MS=100', 'SIM_PREBUF_MS=100'] });
    const engineHost = await addressOf(engine);
    await until('the engine', async () => (await fetch(`http://${engineHost}:6878/webui/api/service?method=get_version`)).ok, 60_000);
    proxy = await start({
      Entrypoint: ['node', '--max-old-space-size=128', join(ROOT, 'apps/proxy/dist/main.js')],
      WorkingDir: '/tmp',
      Env: ['ACEXY_LISTEN_ADDR=:8080', `ACEXY_HOST=${engineHost}`, `ACEXY_BUFFER_TOTAL_MAX=${BUFFER_BYTES}`],
      HostConfig: {
        Memory: LIMIT_BYTES,
        Binds: [`${ROOT}:${ROOT}:ro`],
        Sysctls: { 'net.ipv4.tcp_wmem': '4096 16384 1048576' },
      },
    });
    host = await addressOf(proxy);
    folder = join(VERSION_1, 'docker', proxy.id);
    if (existsSync(folder) && process.getuid?.() === 0) writeFileSync(join(folder, SOCKETS.replace('usage', 'limit')), String(8 * 2 ** 30));
    await until('the proxy', async () => (await fetch(`http://${host}:8080/health/ready`)).ok, 60_000);
    sampling = sample();
  });

  afterAll(async () => {
    isOver = true;
    await sampling;
    for (const socket of stalled) socket.destroy();
    await removeContainersWith(LABEL);
  });

  /** What the container uses, the buffers of its connections included, ten times a second. */
  async function sample(): Promise<void> {
    const read = (file: string): number => Number(readFileSync(join(folder, file), 'utf8'));
    while (!isOver) {
      const used = existsSync(folder)
        ? read('memory.usage_in_bytes') + read(SOCKETS)
        : (await proxy.stats({ stream: false })).memory_stats.usage;
      mostBytes = Math.max(mostBytes, used);
      await sleep(100);
    }
  }

  const pathOf = (index: number): string => `/ace/getstream?id=${contentId(index)}`;
  const open = (index: number, keep = false): Promise<Viewer> => Viewer.open(`http://${host}:8080${pathOf(index)}`, { keep });
  const figure = async (name: string, labels: Record<string, string>): Promise<number> =>
    (await scrapeOf(`http://${host}:8080`)).sum(name, labels) ?? 0;

  it('plays as many streams as fit, and answers the others with 503, Retry-After and the reason', async () => {
    const all = await Promise.all(Array.from({ length: STREAMS + 5 }, (_, index) => open(index, index >= STREAMS)));
    watching.push(...all.filter(({ status }) => status === 200));
    expect(watching.length).toBe(STREAMS);
    const refused = all.filter(({ status }) => status === 503);
    expect(refused.length).toBe(5);
    for (const viewer of refused) {
      await viewer.closed;
      expect(viewer.response.headers['retry-after']).toBe('5');
      expect(viewer.body.toString()).toMatch(/no memory for another stream: .*ACEXY_BUFFER_TOTAL_MAX/);
    }
    expect(await figure('acexy_viewers_refused_total', { full: 'memory' })).toBe(5);
    await Promise.all(watching.map((viewer) => viewer.untilBytes(2_000_000, 60_000)));
  });

  it(`serves ${JOINS} viewers who join one stream at once`, async () => {
    const viewers = await Promise.all(Array.from({ length: JOINS }, () => open(0)));
    expect(viewers.filter(({ status }) => status !== 200)).toEqual([]);
    await Promise.all(viewers.map((viewer) => viewer.untilBytes(100_000, 60_000)));
    await Promise.all(viewers.map((viewer) => viewer.leave()));
  });

  it(`disconnects some of ${STALLED} viewers who read nothing, and the others play on`, async () => {
    for (let index = 0; index < STALLED; index += 1) {
      const socket = connect(8080, host);
      socket.on('error', () => undefined); // the proxy resets it
      socket.write(`GET ${pathOf(index % STREAMS)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      socket.pause();
      stalled.push(socket);
    }
    await until(
      'stalled viewers are disconnected',
      async () => (await figure('acexy_viewers_ended_total', { reason: 'too-slow' })) >= STALLED - MAX_STALLED,
      80_000,
    );
    const before = watching.map(({ bytes }) => bytes);
    await Promise.all(watching.map((viewer, index) => viewer.untilBytes(before[index] + 2_000_000, 60_000)));
  });

  it('is not killed, and uses at no time more than its limit, with the buffers of the kernel', async () => {
    const { State } = await proxy.inspect();
    expect([State.Running, State.OOMKilled]).toEqual([true, false]);
    expect(mostBytes).toBeGreaterThan(2 * BUFFER_BYTES);
    expect(mostBytes).toBeLessThan(LIMIT_BYTES);
  });
});
