import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HAS_FFMPEG, runTool } from '../support/media-tools.js';
import { Pair, contentId } from '../support/pair.js';
import { Viewer } from '../support/viewer.js';

const SECONDS = 12;

describe('watching one stream with default settings', () => {
  let pair: Pair;

  beforeAll(async () => {
    // Realistic engines (6 s to boot) and no free engine: the first request starts one.
    pair = await Pair.start({ orchestrator: { MIN_REPLICAS: '0' } });
  });
  afterAll(() => pair.stop());

  it.skipIf(!HAS_FFMPEG)('the first request, without any engine, plays in ffmpeg without an error', async () => {
    expect(await pair.engines()).toEqual([]);
    const started = performance.now();
    const { code, output } = await runTool('ffmpeg', [
      '-v',
      'warning',
      '-i',
      pair.streamUrl(contentId(1)),
      '-t',
      String(SECONDS),
      '-f',
      'null',
      '-',
    ]);
    expect({ code, output }).toEqual({ code: 0, output: '' });
    expect(performance.now() - started).toBeGreaterThan(6_000); // the engine's own boot: nothing was there before
  });

  it('the reply is 200 with video/MP2T, has no Content-Length, and starts with a packet', async () => {
    const viewer = await Viewer.open(pair.streamUrl(contentId(1)));
    expect(viewer.status).toBe(200);
    expect(viewer.response.headers['content-type']).toBe('video/MP2T');
    expect(viewer.response.headers['content-length']).toBeUndefined();
    await viewer.untilBytes(188 * 1000);
    const body = viewer.body;
    for (let at = 0; at + 188 <= body.length; at += 188) expect(body[at]).toBe(0x47);
    await viewer.leave();
  });

  it.skipIf(!HAS_FFMPEG)('the video is 640x360 H.264 with AAC audio', async () => {
    const { output } = await runTool('ffprobe', [
      '-v',
      'error',
      '-show_entries',
      'stream=codec_name,width',
      '-of',
      'csv=p=0',
      pair.streamUrl(contentId(1)),
    ]);
    expect(new Set(output.split('\n').filter(Boolean))).toEqual(new Set(['h264,640', 'aac']));
  });

  it('afterwards every session was stopped on the engine, and no stream is left', async () => {
    await pair.untilNoStreams();
    for (const engine of await pair.engines()) {
      const { sessions } = await pair.control(engine).metrics();
      expect(sessions).toMatchObject({ active: 0, stopped: sessions.opened });
    }
    const ended = await pair.api<unknown[]>('/streams?status=ended');
    expect(ended.length).toBeGreaterThanOrEqual(1);
  });
});
