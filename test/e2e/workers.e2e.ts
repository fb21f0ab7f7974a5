import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ownerOf } from '../../apps/proxy/src/workers/route.policy.js';
import { Pair, contentId } from '../support/pair.js';
import { scrapeOf } from '../support/scrape-of.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

interface Overview {
  streams: number;
  clients: number;
  memory: { buffer_budget_bytes: number };
  sessions: { stream: { key: string }; infohash: string | null }[];
}

/** Contents that belong to different workers of two. */
const [FIRST, SECOND] = [1, 6];

describe('a proxy with two workers', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '2', MIN_PROVISION_INTERVAL_S: '0.05' },
      proxy: {
        ACEXY_WORKERS: '2',
        // Longer than a busy machine needs until the test sees that the proxy is unready.
        ACEXY_DRAIN_TIMEOUT: '6s',
        ACEXY_MAX_VIEWERS: '4',
        ACEXY_LINGER: '100ms',
        ACEXY_M3U8_STREAM_TIMEOUT: '3s',
      },
    });
  });
  afterAll(() => pair?.stop());

  const overview = async (): Promise<Overview> => (await (await fetch(`${pair.proxyUrl}/ace/status`)).json()) as Overview;
  const watch = async (index: number): Promise<Viewer> => {
    const viewer = await Viewer.open(pair.streamUrl(contentId(index)), { keep: false });
    await viewer.untilBytes(300_000);
    return viewer;
  };
  /** The last line of the log with this message, and with this text in it. */
  const logged = (message: string, text: string): { worker: number; pid: number } => {
    const lines = pair.proxy.log.split('\n').filter((line) => line.includes(`"msg":"${message}"`) && line.includes(text));
    return JSON.parse(lines.at(-1) ?? '{}') as { worker: number; pid: number };
  };
  const workerOf = (index: number): number => logged('stream starting', contentId(index)).worker;
  const pidOf = (worker: number): number => logged('worker ready', `"worker":${worker}`).pid;

  it('is one proxy for players, for monitoring and for the orchestrator', async () => {
    const viewers = await Promise.all([watch(FIRST), watch(FIRST), watch(SECOND)]);
    expect(workerOf(FIRST)).not.toBe(workerOf(SECOND));
    expect(await overview()).toMatchObject({ streams: 2, clients: 3 });
    const scrape = await scrapeOf(pair.proxyUrl);
    expect([scrape.sum('acexy_viewers'), scrape.sum('acexy_workers'), scrape.sum('acexy_sessions', { state: 'playing' })]).toEqual([
      3, 2, 2,
    ]);
    expect(scrape.sum('acexy_buffer_budget_bytes')).toBe((await overview()).memory.buffer_budget_bytes);
    expect(scrape.sum('process_start_time_seconds')).toBeLessThan(Date.now() / 1000);
    const streams = await until('both streams', async () => {
      const started = await pair.startedStreams();
      return started.length === 2 && started;
    });
    expect(new Set(streams.map((stream) => stream.container_id)).size).toBe(2);
    expect((await fetch(`${pair.proxyUrl}/health/ready`)).status).toBe(200);
    await Promise.all(viewers.map((viewer) => viewer.leave()));
    await pair.untilNoStreams();
  });

  it('counts the viewers of all workers for ACEXY_MAX_VIEWERS', async () => {
    const viewers = await Promise.all([watch(FIRST), watch(FIRST), watch(SECOND), watch(SECOND)]);
    await until('the workers know of each other', async () => (await fetch(pair.streamUrl(contentId(FIRST)))).status === 503);
    await Promise.all(viewers.map((viewer) => viewer.leave()));
    await pair.untilNoStreams();
  });

  it('serves clients that keep their connection: each request reaches the worker of its content', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const answer = (path: string) =>
      new Promise<number | undefined>((resolve, reject) =>
        get(`${pair.proxyUrl}${path}`, { agent }, (reply) => {
          reply.resume().once('end', () => resolve(reply.statusCode));
        }).once('error', reject),
      );
    for (const path of [
      '/health',
      `/ace/manifest.m3u8?id=${contentId(FIRST)}`,
      `/ace/manifest.m3u8?id=${contentId(SECOND)}`,
      '/ace/status',
    ]) {
      expect([path, await answer(path)]).toEqual([path, 200]);
    }
    expect(workerOf(FIRST)).not.toBe(workerOf(SECOND));
    agent.destroy();
  });

  it('answers what is no request as one process does', async () => {
    const answerTo = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        let answer = '';
        const socket = connect(pair.proxyPort, '127.0.0.1', () => socket.end(text));
        socket.setEncoding('utf8').on('data', (part: string) => (answer += part));
        socket.once('close', () => resolve(answer.split('\r\n')[0])).once('error', reject);
      });
    expect(await answerTo('hello\r\n\r\n')).toBe('HTTP/1.1 400 Bad Request');
    expect(await answerTo(`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toBe('HTTP/1.1 431 Request Header Fields Too Large');
    expect(await answerTo('GET /health HTTP/1.0\r\n\r\n')).toBe('HTTP/1.1 200 OK');
    expect(await answerTo(`GET /ace/getstream?id=none HTTP/1.0\r\n\r\n`)).toBe('HTTP/1.1 400 Bad Request');
    expect(await answerTo('POST /ace/getstream HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}')).toBe(
      'HTTP/1.1 405 Method Not Allowed',
    );
  });

  it('plays one content once when both of its names are requested at the same time', async () => {
    await pair.untilNoStreams();
    const [id, infohash] = namesInDifferentWorkers();
    const viewers = await Promise.all(
      [`id=${id}`, `infohash=${infohash}`].map((name) => Viewer.open(`${pair.proxyUrl}/ace/getstream?${name}`, { keep: false })),
    );
    expect(viewers.map(({ status }) => status)).toEqual([200, 200]);
    await Promise.all(viewers.map((viewer) => viewer.untilBytes(300_000)));
    await until('one stream with both viewers', async () => {
      const { streams, clients } = await overview();
      return streams === 1 && clients === 2;
    });
    await Promise.all(viewers.map((viewer) => viewer.leave()));
  });

  it('loses only the viewers of a worker that is killed, and no engine; its contents play again at once', async () => {
    await pair.untilNoStreams();
    const [lost, other] = [await watch(FIRST), await watch(SECOND)];
    const before = (await scrapeOf(pair.proxyUrl)).sum('acexy_starts_total', { outcome: 'playing' }) ?? 0;
    const spare = await until('a spare process', async () => childrenOf(pair.proxy.pid).find((pid) => ![pidOf(0), pidOf(1)].includes(pid)));
    process.kill(pidOf(workerOf(FIRST)), 'SIGKILL');
    await lost.closed;
    const again = await watch(FIRST);
    expect(other.ended).toBe(false);
    expect(pidOf(workerOf(FIRST))).toBe(spare);
    const scrape = await scrapeOf(pair.proxyUrl);
    expect([scrape.sum('acexy_worker_restarts_total'), scrape.sum('acexy_streams_ended_total', { cause: 'worker-exited' })]).toEqual([
      1, 1,
    ]);
    expect(scrape.sum('acexy_starts_total', { outcome: 'playing' })).toBe(before + 1);
    const streams = await until('two streams', async () => {
      const started = await pair.startedStreams();
      return started.length === 2 && started;
    });
    expect(new Set(streams.map((stream) => stream.container_id)).size).toBe(2);
    await until('two engine sessions', async () => {
      const active = (await pair.engineMetrics()).map(({ sessions }) => sessions.active);
      return active.reduce((sum, count) => sum + count, 0) === 2;
    });
    await Promise.all([again.leave(), other.leave()]);
  });

  it('on SIGTERM rejects new viewers, serves its viewers for ACEXY_DRAIN_TIMEOUT, and leaves no stream behind', async () => {
    const viewers = [await watch(FIRST), await watch(SECOND)];
    const at = viewers.map(({ bytes }) => bytes);
    await until('ready', async () => (await fetch(`${pair.proxyUrl}/health/ready`)).ok);
    pair.proxy.kill('SIGTERM');
    await until('unready', async () => (await fetch(`${pair.proxyUrl}/health/ready`)).status === 503);
    expect((await fetch(pair.streamUrl(contentId(3)))).status).toBe(503);
    expect(await pair.proxy.exited).toEqual({ code: 0, signal: null });
    expect(pair.proxy.output.join('')).not.toContain('worker shutdown timed out');
    await Promise.all(viewers.map((viewer) => viewer.closed));
    for (const [index, { ended, bytes }] of viewers.entries()) expect([ended, bytes > at[index]]).toEqual([true, true]);
    expect(await pair.startedStreams()).toEqual([]);
    expect((await pair.engineMetrics()).every(({ sessions }) => sessions.active === 0)).toBe(true);
    // The container that replaces this one takes its id.
    expect(readdirSync(pair.folder, { encoding: 'utf8', recursive: true }).filter((file) => file.endsWith('.free'))).toHaveLength(1);
  });
});

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').map(Number);
}

/** A content id and its infohash, of which each alone belongs to another worker of two. */
function namesInDifferentWorkers(): [id: string, infohash: string] {
  const workerOf = (type: 'content_id' | 'infohash', value: string): number =>
    ownerOf({ selector: { type, value }, streamId: null }, 2, [], () => null);
  for (let index = 1000; ; index += 1) {
    const id = contentId(index);
    // As the simulated engine derives it.
    const infohash = createHash('sha1').update(`cid:${id}`).digest('hex');
    if (workerOf('content_id', id) !== workerOf('infohash', infohash)) return [id, infohash];
  }
}
