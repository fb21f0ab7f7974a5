import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HAS_FFMPEG, runTool } from '../support/media-tools.js';
import { Pair, contentId } from '../support/pair.js';
import { wholePictures } from '../support/stream-body.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

describe('when the orchestrator is killed during playback', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '2' },
      proxy: { ACEXY_LINGER: '100ms' },
    });
  });
  afterAll(() => pair.stop());

  it('the viewer does not notice, and the restarted orchestrator lists the same engines and the same stream', async () => {
    await until('two free engines', async () => (await pair.engines()).length === 2);
    const viewer = await Viewer.open(pair.streamUrl(contentId(1)));
    await viewer.untilBytes(500_000);
    const stream = await until('the stream', async () => (await pair.startedStreams())[0]);
    const before = (await until('three engines', async () => (await pair.engines()).length === 3 && pair.engines()))
      .map(({ container_id, port }) => `${container_id}:${port}`)
      .sort();

    pair.orchestrator.kill('SIGKILL');
    await pair.orchestrator.exited;
    const bytesAtKill = viewer.bytes;
    await viewer.untilBytes(bytesAtKill + 500_000);

    pair.startOrchestrator();
    const again = await until('the same stream again', async () => (await pair.startedStreams()).find(({ id }) => id === stream.id));
    const after = await until('the same engines again', async () => {
      const engines = (await pair.engines()).map(({ container_id, port }) => `${container_id}:${port}`).sort();
      return JSON.stringify(engines) === JSON.stringify(before) && engines;
    });
    expect(again).toMatchObject({ container_id: stream.container_id, playback_session_id: stream.playback_session_id });
    expect(after).toEqual(before);

    await viewer.untilBytes(viewer.bytes + 500_000);
    expect(viewer.ended).toBe(false);
    await viewer.leave();
    if (HAS_FFMPEG) {
      const decoded = await runTool('ffmpeg', ['-v', 'warning', '-f', 'mpegts', '-i', 'pipe:0', '-f', 'null', '-'], {
        input: wholePictures(viewer.body),
      });
      expect(decoded).toEqual({ code: 0, output: '' });
    }
  });

  it('a new stream still gets a known engine while the orchestrator is unreachable', async () => {
    await pair.untilNoStreams();
    pair.orchestrator.kill('SIGKILL');
    await pair.orchestrator.exited;
    const viewer = await Viewer.open(pair.streamUrl(contentId(2)), { keep: false });
    expect(viewer.status).toBe(200);
    await viewer.untilBytes(300_000);
    pair.startOrchestrator();
    await until('the orchestrator lists the stream', async () => (await pair.startedStreams()).some(({ key }) => key === contentId(2)));
    await viewer.leave();
    await until('the end of the stream', async () => (await pair.startedStreams()).length === 0);
  });
});
