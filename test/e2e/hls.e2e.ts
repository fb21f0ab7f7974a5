import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HlsChecker, type ListedSegment } from '../support/hls-checker.js';
import { HlsPlayer } from '../support/hls-player.js';
import { HAS_FFMPEG, runTool } from '../support/media-tools.js';
import { Pair, contentId } from '../support/pair.js';
import { markersOf } from '../support/stream-body.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

describe('HLS of a stream', () => {
  let pair: Pair;
  let contents = 1;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '2', MIN_PROVISION_INTERVAL_S: '0.05' },
      proxy: { ACEXY_LINGER: '100ms', ACEXY_M3U8_STREAM_TIMEOUT: '3s', ACEXY_HLS_SEGMENT: '2s' },
    });
    await until('free engines', async () => (await pair.engines()).length >= 2);
  });
  afterAll(() => pair.stop());
  afterEach(() => pair.untilNoStreams());

  const manifest = (id: string): string => `${pair.proxyUrl}/ace/manifest.m3u8?id=${id}`;

  it('shares the engine session of the transport stream, follows the rules, and continues over a failover without a break', async () => {
    const id = contentId(contents++);
    const checker = new HlsChecker({ continues: (before, after) => markersOf(before).at(-1)! + 1 === markersOf(after)[0] });
    const player = await HlsPlayer.open(manifest(id));
    const viewer = await Viewer.open(pair.streamUrl(id));
    await player.playUntil(checker, 5);
    const [stream] = await pair.startedStreams();
    expect(await pair.streamStatus(id)).toMatchObject({ clients: 2, failovers: 0 });
    const engine = (await pair.engines()).find(({ container_id }) => container_id === stream.container_id)!;
    expect(await pair.control(engine).metrics()).toMatchObject({ sessions: { opened: 1, active: 1 }, readers: { open: 1 } });
    await pair.control(engine).end('superseded');
    const { segments } = checker;
    await player.playUntil(checker, segments + 3);
    expect(await pair.streamStatus(id)).toMatchObject({ clients: 2, failovers: 1 });
    expect(checker.faults).toEqual([]);
    await viewer.leave();
    await decodeEach(player.fetched);
  });

  it('ends some time after the last request of a player, together with the engine session', async () => {
    const id = contentId(contents++);
    const player = await HlsPlayer.open(manifest(id));
    await player.playUntil(new HlsChecker(), 1);
    await until('the end of the stream', async () => (await pair.startedStreams()).length === 0, 10_000);
    for (const engine of await pair.engines()) expect((await pair.control(engine).metrics()).sessions.active).toBe(0);
  });

  it('content that engines only deliver as HLS plays in both forms and survives a failover', async () => {
    // The simulator treats ids with this prefix as encrypted.
    const id = `11${contentId(contents++).slice(2)}`;
    const checker = new HlsChecker({ continues: (before, after) => markersOf(before).at(-1)! + 1 === markersOf(after)[0] });
    const viewer = await Viewer.open(pair.streamUrl(id));
    await viewer.untilBytes(1_000_000);
    const player = await HlsPlayer.open(manifest(id));
    await player.playUntil(checker, 3);
    const [stream] = await pair.startedStreams();
    const engine = (await pair.engines()).find(({ container_id }) => container_id === stream.container_id)!;
    expect(await pair.control(engine).metrics()).toMatchObject({ sessions: { active: 1 } });
    await pair.control(engine).end('superseded');
    await until('the failover', async () => (await pair.streamStatus(id)).failovers === 1, 30_000);
    await player.playUntil(checker, checker.segments + 2);
    expect(checker.faults).toEqual([]);
    await viewer.leave();
  });

  it('HEAD starts nothing', async () => {
    const reply = await fetch(manifest(contentId(contents++)), { method: 'HEAD' });
    expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'application/vnd.apple.mpegurl']);
    expect(await pair.startedStreams()).toEqual([]);
  });

  it.skipIf(!HAS_FFMPEG)('plays in ffmpeg with every picture and without a message', async () => {
    const { code, output } = await runTool('ffmpeg', [
      '-v',
      'warning',
      '-i',
      manifest(contentId(contents++)),
      '-t',
      '4',
      '-f',
      'null',
      '-',
    ]);
    expect([code, output]).toEqual([0, '']);
  });
});

/** A fresh decoder reports no error for any segment. */
async function decodeEach(segments: readonly { listed: ListedSegment; bytes: Buffer }[]): Promise<void> {
  if (!HAS_FFMPEG) return;
  for (const { bytes } of segments.slice(-3)) {
    const { code, output } = await runTool('ffmpeg', ['-v', 'warning', '-i', 'pipe:0', '-f', 'null', '-'], { input: bytes });
    expect([code, output]).toEqual([0, '']);
  }
}
