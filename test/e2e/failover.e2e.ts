import type { EngineState, StreamState } from '@acexy/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HAS_FFMPEG, runTool } from '../support/media-tools.js';
import { Pair, contentId } from '../support/pair.js';
import type { SimulatorControl } from '../support/simulator-control.js';
import { markersOf, wholePictures } from '../support/stream-body.js';
import { checkTs } from '../support/ts-checker.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

/** More than one second of the simulator's stream. */
const SOME = 500_000;
/** Size of an engine's initial burst. After it the viewer is at the live edge. */
const BURST = 3_500_000;

describe('when the engine fails during playback', () => {
  let pair: Pair;
  let contents = 1;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: {
        MIN_REPLICAS: '2',
        MIN_PROVISION_INTERVAL_S: '0.05',
        HEALTH_CHECK_INTERVAL_S: '1',
        HEALTH_FAILURE_THRESHOLD: '2',
        HEALTH_CHECK_TIMEOUT_S: '1',
        RETRY_BACKOFF_S: '0.5',
        HEALTH_UNHEALTHY_GRACE_PERIOD_S: '1',
        HEALTH_REPLACEMENT_COOLDOWN_S: '1',
      },
      proxy: { ACEXY_STALL_TIMEOUT: '2s', ACEXY_LINGER: '100ms', ACEXY_EMPTY_TIMEOUT: '8s' },
    });
  });
  afterAll(() => pair.stop());
  afterEach(async () => {
    await pair.untilNoStreams();
    for (const engine of await pair.engines()) await pair.control(engine).clearFaults();
  });

  it.each<[string, (engine: SimulatorControl) => Promise<unknown>]>([
    ['is killed', async (engine) => process.kill(await engine.pid(), 'SIGKILL')],
    ['ends the session', (engine) => engine.end('superseded')],
    ['forgets the session and becomes silent', (engine) => engine.end('lost')],
    ['breaks the connection', (engine) => engine.fault('resetAfterMs', 1)],
  ])('it %s: the viewer gets the next packet from another engine', async (_what, lose) => {
    const id = contentId(contents++);
    const { viewer, engine } = await play(pair, id);
    await lose(pair.control(engine));
    await viewer.untilBytes(viewer.bytes + 2 * SOME);
    expect(await streamOf(pair, id)).not.toMatchObject({ container_id: engine.container_id });
    await expectUnbroken(viewer);
  });

  it('repeatedly: the viewer still gets one continuous stream', async () => {
    const id = contentId(contents++);
    const { viewer, engine } = await play(pair, id);
    let on = engine;
    for (let round = 1; round <= 3; round++) {
      await pair.control(on).end(round % 2 ? 'superseded' : 'lost');
      await viewer.untilBytes(viewer.bytes + 2 * SOME);
      const status = await pair.streamStatus(id);
      expect(status).toMatchObject({ state: 'playing', failovers: round });
      on = await engineOf(pair, await streamOf(pair, id));
    }
    await expectUnbroken(viewer);
  });

  it('it accepts connections and does not answer: it is detected and replaced, and the viewer gets the next packet', async () => {
    const id = contentId(contents++);
    const { viewer, engine } = await play(pair, id);
    await pair.control(engine).fault('hangAll', true);
    await viewer.untilBytes(viewer.bytes + 2 * SOME);
    await until('the hanging engine is removed and replaced', async () => {
      const engines = await pair.api<EngineState[]>('/engines?state=all');
      const healthy = engines.filter(({ health_status: health }) => health === 'healthy');
      return healthy.length >= 3 && engines.every(({ container_id: other }) => other !== engine.container_id);
    });
    expect(await pair.streamStatus(id)).toMatchObject({ state: 'playing', failovers: 1 });
    await expectUnbroken(viewer);
  });

  it('the orchestrator drains it as unhealthy: the stream moves before it is removed, without a pause', async () => {
    const id = contentId(contents++);
    const { viewer, engine } = await play(pair, id);
    await pair.control(engine).fault('unavailable', true);
    const state = await until('the move', async () => {
      const status = await pair.streamStatus(id);
      return status.failovers === 1 && status.state;
    });
    expect(state).toBe('playing');
    await viewer.untilBytes(viewer.bytes + 2 * SOME);
    expect(await (await fetch(`${pair.proxyUrl}/metrics`)).text()).toContain('acexy_failovers_total{cause="drained",outcome="exact"} 1');
    await expectUnbroken(viewer);
  });
});

describe('when the only possible engine ends the session', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '1', MAX_REPLICAS: '1' },
      proxy: { ACEXY_EMPTY_TIMEOUT: '8s', ACEXY_LINGER: '100ms' },
    });
  });
  afterAll(() => pair.stop());

  it('the proxy starts it again after a moment, and the viewer gets the next packet', async () => {
    const id = contentId(1);
    const { viewer, engine } = await play(pair, id, 1);
    await pair.control(engine).end('superseded');
    await viewer.untilBytes(viewer.bytes + 2 * SOME);
    expect(await pair.streamStatus(id)).toMatchObject({ state: 'playing', failovers: 1 });
    await expectUnbroken(viewer);
    await pair.untilNoStreams();
    expect(await pair.control(engine).metrics()).toMatchObject({ sessions: { opened: 2, active: 0, superseded: 1, stopped: 1 } });
  });

  it('and then rejects the content: the stream ends cleanly after the retry budget, and the orchestrator gets the reason', async () => {
    const id = contentId(2);
    const { viewer, engine } = await play(pair, id, 1);
    await pair.control(engine).fault('refuseContent', 'failed to load content');
    await pair.control(engine).end('superseded');
    await viewer.closed;
    expect([viewer.ended, viewer.error]).toEqual([true, null]);
    await until('the end of the stream', async () =>
      (await pair.api<StreamState[]>('/streams?status=ended')).find(({ key }) => key === id),
    );
    const log = pair.proxy.log;
    expect(log).toContain('the engine ended the stream, and no other engine could continue the stream');
  });
});

async function play(pair: Pair, id: string, free = 2): Promise<{ viewer: Viewer; engine: EngineState }> {
  await until('free engines', async () => (await pair.engines()).filter(({ streams }) => streams.length === 0).length >= free);
  const viewer = await Viewer.open(pair.streamUrl(id));
  await viewer.untilBytes(BURST);
  return { viewer, engine: await engineOf(pair, await streamOf(pair, id)) };
}

function streamOf(pair: Pair, id: string): Promise<StreamState> {
  return until('the stream', async () => (await pair.startedStreams()).find(({ key }) => key === id));
}

async function engineOf(pair: Pair, { container_id: id }: StreamState): Promise<EngineState> {
  const engine = (await pair.engines()).find(({ container_id }) => container_id === id);
  if (engine === undefined) throw new Error(`no engine ${id}`);
  return engine;
}

/** Checks that every packet of the content arrived once and in order, and that a decoder reports no error. */
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
