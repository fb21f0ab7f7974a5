import type { EngineState, StreamState } from '@acexy/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HAS_FFMPEG, runTool } from './support/media-tools.js';
import { Pair, contentId } from './support/pair.js';
import type { SimulatorControl } from './support/simulator-control.js';
import { markersOf, wholePictures } from './support/stream-body.js';
import { checkTs } from './support/ts-checker.js';
import { until } from './support/until.js';
import { Viewer } from './support/viewer.js';

/** A good second of the simulator's stream. */
const SOME = 500_000;
/** What an engine hands out at once; after it the viewer is at the live edge. */
const BURST = 3_500_000;

describe('the engine is lost in mid-play', () => {
  let pair: Pair;
  let contents = 1;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '2', MIN_PROVISION_INTERVAL_S: '0.05' },
      proxy: { ACEXY_STALL_TIMEOUT: '2s', ACEXY_LINGER: '100ms' },
    });
  });
  afterAll(() => pair.stop());
  afterEach(async () => {
    await until('no stream is left', async () => (await pair.startedStreams()).length === 0);
    for (const engine of await pair.engines()) await pair.control(engine).clearFaults();
  });

  it.each<[string, (engine: SimulatorControl) => Promise<unknown>]>([
    ['is killed', async (engine) => process.kill(await engine.pid(), 'SIGKILL')],
    ['ends the session', (engine) => engine.end('superseded')],
    ['forgets the session and sends nothing any more', (engine) => engine.end('lost')],
    ['breaks the connection', (engine) => engine.fault('resetAfterMs', 1)],
  ])('when it %s the viewer gets the very next packet from another one', async (_what, lose) => {
    const id = contentId(contents++);
    const { viewer, engine } = await play(id);
    await lose(pair.control(engine));
    await viewer.untilBytes(viewer.bytes + 4 * SOME);
    expect(await streamOf(id)).not.toMatchObject({ container_id: engine.container_id });
    await expectUnbroken(viewer);
  });

  it('time and again, the viewer still sees one stream', async () => {
    const id = contentId(contents++);
    const { viewer, engine } = await play(id);
    let on = engine;
    for (let round = 1; round <= 3; round++) {
      await pair.control(on).end(round % 2 ? 'superseded' : 'lost');
      await viewer.untilBytes(viewer.bytes + 3 * SOME);
      const status = await statusOf(id);
      expect(status).toMatchObject({ state: 'playing', failovers: round });
      on = await engineOf(await streamOf(id));
    }
    await expectUnbroken(viewer);
  });

  async function play(id: string): Promise<{ viewer: Viewer; engine: EngineState }> {
    await until('two free engines', async () => (await pair.engines()).filter(({ streams }) => streams.length === 0).length >= 2);
    const viewer = await Viewer.open(pair.streamUrl(id));
    await viewer.untilBytes(BURST);
    return { viewer, engine: await engineOf(await streamOf(id)) };
  }

  function streamOf(id: string): Promise<StreamState> {
    return until('the stream', async () => (await pair.startedStreams()).find(({ key }) => key === id));
  }

  async function engineOf({ container_id: id }: StreamState): Promise<EngineState> {
    const engine = (await pair.engines()).find(({ container_id }) => container_id === id);
    if (engine === undefined) throw new Error(`no engine ${id}`);
    return engine;
  }

  async function statusOf(id: string): Promise<unknown> {
    return (await fetch(`${pair.proxyUrl}/ace/status?id=${id}`)).json();
  }

  /** Every packet of the content came once and in its place, and a decoder has nothing to say about it. */
  async function expectUnbroken(viewer: Viewer): Promise<void> {
    expect(viewer.ended).toBe(false);
    await viewer.leave();
    const body = wholePictures(viewer.body);
    expect(checkTs(body).faults).toEqual([]);
    const markers = markersOf(body);
    expect(markers.length).toBeGreaterThan(20);
    expect(markers).toEqual(markers.map((_, index) => markers[0] + index));
    if (!HAS_FFMPEG) return;
    const decoded = await runTool('ffmpeg', ['-v', 'warning', '-f', 'mpegts', '-i', 'pipe:0', '-f', 'null', '-'], { input: body });
    expect(decoded).toEqual({ code: 0, output: '' });
  }
});
