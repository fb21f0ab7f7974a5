import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineState, StreamState } from '@acexy/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineProcesses } from '../support/orchestrator-process.js';
import { Pair, contentId } from '../support/pair.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

/** Milliseconds after a viewer's request: during the lease, during the start of an engine, in the first second of playback. */
const KILL_AFTER_MS = [0, 60, 250, 700];

describe('when the orchestrator is killed', () => {
  let pair: Pair;
  const viewers: Viewer[] = [];

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '200', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '1', MAX_REPLICAS: '8', MIN_PROVISION_INTERVAL_S: '0.05' },
    });
    await until('a free engine', async () => (await pair.engines()).length === 1);
  });
  afterAll(async () => {
    await Promise.all(viewers.map((viewer) => viewer.leave()));
    await pair.stop();
  });

  it.each(KILL_AFTER_MS)('%i ms after a viewer arrived, its state is right again', async (killAfterMs) => {
    const opening = Viewer.open(pair.streamUrl(contentId(100 + killAfterMs)), { keep: false });
    await sleep(killAfterMs);
    const before = engineProcesses(pair.folder);
    pair.orchestrator.kill('SIGKILL');
    await pair.orchestrator.exited;
    const bytes = viewers.map((viewer) => viewer.bytes);

    pair.startOrchestrator();
    const viewer = await opening;
    viewers.push(viewer);
    expect(viewer.status).toBe(200);
    await until('engines and streams in the API match the processes and viewers', () => agree(pair, viewers.length));

    // No engine was changed, none was started twice for the same viewer, and no viewer lost the stream.
    expect(engineProcesses(pair.folder)).toEqual(expect.arrayContaining(before));
    await until('exactly one free engine besides the engines in use', async () => {
      const engines = await pair.api<EngineState[]>('/engines?state=all');
      return engines.length === viewers.length + 1 && engineProcesses(pair.folder).length === engines.length;
    });
    await Promise.all(bytes.map((count, index) => viewers[index].untilBytes(count + 200_000)));
    expect(viewers.map(({ ended }) => ended)).toEqual(viewers.map(() => false));
  });
});

/** Whether engines, ports and streams in the API are real: one process per engine, one engine per port, one stream per viewer. */
async function agree(pair: Pair, viewers: number): Promise<boolean> {
  const engines = await pair.api<EngineState[]>('/engines?state=all');
  const streams = await pair.api<StreamState[]>('/streams?status=started');
  const ports = new Set(engines.map(({ port }) => port));
  const played = new Set(streams.map(({ container_id: id }) => id));
  const known = engines.flatMap(({ streams: ids }) => ids);
  return (
    engineProcesses(pair.folder).length === engines.length &&
    ports.size === engines.length &&
    streams.length === viewers &&
    played.size === viewers &&
    known.length === viewers &&
    engines.filter(({ container_id: id }) => played.has(id)).length === viewers
  );
}
