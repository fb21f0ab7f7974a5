import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pair, contentId } from '../support/pair.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

describe('with many viewers', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '1', MIN_PROVISION_INTERVAL_S: '0.05' },
    });
  });
  afterAll(() => pair.stop());

  it('ten viewers of one content share one session and one reader on the engine, and get the same bytes', async () => {
    const viewers = await Promise.all(Array.from({ length: 10 }, () => Viewer.open(pair.streamUrl(contentId(1)))));
    await Promise.all(viewers.map((viewer) => viewer.untilBytes(3_000_000)));
    const streams = await until('one stream', async () => {
      const started = await pair.startedStreams();
      return started.length === 1 && started;
    });
    const engine = (await pair.engines()).find(({ container_id }) => container_id === streams[0].container_id);
    const metrics = await pair.control(engine!).metrics();
    expect(metrics).toMatchObject({ sessions: { opened: 1, active: 1 }, readers: { maxPerSession: 1 } });

    // All joined one running stream. Later viewers get the same bytes from then on.
    const tail = (viewer: Viewer): Buffer => viewer.body.subarray(188 * 2000, 188 * 6000);
    const first = viewers[0].body;
    for (const viewer of viewers.slice(1)) {
      const bytes = tail(viewer);
      expect(first.includes(bytes.subarray(0, 188 * 64)) || viewer.body.includes(tail(viewers[0]).subarray(0, 188 * 64))).toBe(true);
    }
    await Promise.all(viewers.map((viewer) => viewer.leave()));
  });

  it('ten viewers that wait for the same start get the same first bytes', async () => {
    const viewers = await Promise.all(Array.from({ length: 10 }, () => Viewer.open(pair.streamUrl(contentId(2)))));
    await Promise.all(viewers.map((viewer) => viewer.untilBytes(1_000_000)));
    const bodies = viewers.map((viewer) => viewer.body.subarray(0, 1_000_000));
    for (const body of bodies) expect(body.equals(bodies[0])).toBe(true);
    await Promise.all(viewers.map((viewer) => viewer.leave()));
  });

  it('ten contents requested at the same time get ten engines', async () => {
    await pair.untilNoStreams();
    const viewers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => Viewer.open(pair.streamUrl(contentId(100 + index)), { keep: false })),
    );
    expect(viewers.map((viewer) => viewer.status)).toEqual(Array.from({ length: 10 }, () => 200));
    const streams = await until('ten streams', async () => {
      const started = await pair.startedStreams();
      return started.length === 10 && started;
    });
    expect(new Set(streams.map((stream) => stream.container_id)).size).toBe(10);
    await Promise.all(viewers.map((viewer) => viewer.untilBytes(1_000_000)));
    await Promise.all(viewers.map((viewer) => viewer.leave()));
  });

  it('the same content by id and by infohash is one session on one engine', async () => {
    const byId = await Viewer.open(pair.streamUrl(contentId(3)), { keep: false });
    const statusBy = async (parameter: string) =>
      (await fetch(`${pair.proxyUrl}/ace/status?${parameter}`)).json() as Promise<{ infohash: string; title: string | null }>;
    const { infohash } = await statusBy(`id=${contentId(3)}`);
    expect(infohash).toMatch(/^[0-9a-f]{40}$/);
    const byInfohash = await Viewer.open(`${pair.proxyUrl}/ace/getstream?infohash=${infohash}`, { keep: false });
    await byInfohash.untilBytes(200_000);
    expect(await statusBy(`infohash=${infohash}`)).toMatchObject({ clients: 2 });
    // The engine's words about the content, in the proxy and in the orchestrator.
    const title = `Channel ${contentId(3).slice(0, 8)}`;
    await until('the title in the proxy', async () => (await statusBy(`infohash=${infohash}`)).title === title);
    await until('the title in the orchestrator', async () => {
      const stream = (await pair.startedStreams()).find((each) => each.infohash === infohash);
      return stream?.title === title;
    });
    await Promise.all([byId.leave(), byInfohash.leave()]);
  });
});
