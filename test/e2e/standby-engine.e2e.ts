import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Pair, type StreamStatus, contentId } from '../support/pair.js';
import { freePorts } from '../support/ports.js';
import type { ServiceProcess } from '../support/service-process.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

describe('the standby engine of a stream whose engine is silent', () => {
  let pair: Pair;
  let second: ServiceProcess;
  let secondUrl: string;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '2', MAX_REPLICAS: '2', MIN_PROVISION_INTERVAL_S: '0.05' },
      proxy: { ACEXY_STALL_TIMEOUT: '12s', ACEXY_LINGER: '100ms' },
    });
    const [port] = await freePorts(1);
    second = pair.startProxy(port);
    secondUrl = `http://127.0.0.1:${port}`;
    await until('the second proxy is ready', async () => (await fetch(`${secondUrl}/health/ready`)).ok);
    await until('two engines', async () => (await pair.engines()).length === 2);
  });
  afterAll(async () => {
    await second?.stop();
    await pair?.stop();
  });
  afterEach(() => pair.untilNoStreams());

  const statusOf = (index: number): Promise<StreamStatus> => pair.streamStatus(contentId(index));

  /** A stream whose engine has just become silent, with a standby engine. */
  async function quiet(index: number) {
    const viewer = await Viewer.open(pair.streamUrl(contentId(index)), { keep: false });
    await viewer.untilBytes(500_000);
    const { engine } = await statusOf(index);
    const control = pair.control((await pair.engines()).find(({ container_id: id }) => id === engine.container_id)!);
    await control.fault('stallAfterMs', 1);
    const { reserve } = await until('a standby engine', async () => {
      const status = await statusOf(index);
      return status.reserve !== null && status;
    });
    expect(reserve).not.toBe(engine.container_id);
    return { viewer, control, reserve };
  }

  it.each([
    ['another stream of the same proxy', () => pair.proxyUrl],
    ['a stream of another proxy', () => secondUrl],
  ])('goes at once to %s that needs it, and the silent stream continues when its engine does', async (_who, url) => {
    const { viewer, control, reserve } = await quiet(1);
    const other = await Viewer.open(`${url()}/ace/getstream?id=${contentId(2)}`, { keep: false });
    expect(other.status).toBe(200);
    await other.untilBytes(300_000);
    const stream = await until('the other stream', async () => (await pair.startedStreams()).find(({ key }) => key === contentId(2)));
    expect(stream.container_id).toBe(reserve);
    await control.clearFaults();
    await viewer.untilBytes(viewer.bytes + 300_000);
    expect(await statusOf(1)).toMatchObject({ state: 'playing', failovers: 0, reserve: null });
    await Promise.all([viewer, other].map((one) => one.leave()));
  });

  it('is released when the engine continues', async () => {
    const { viewer, control } = await quiet(3);
    await control.clearFaults();
    await viewer.untilBytes(viewer.bytes + 300_000);
    expect(await statusOf(3)).toMatchObject({ state: 'playing', failovers: 0, reserve: null });
    await until('one engine is free', async () => {
      const preview = await pair.api<{ considered: { verdict: string }[] }>(
        `/engines/lease/preview?key_type=content_id&key=${contentId(9)}`,
      );
      return preview.considered.some(({ verdict }) => verdict === 'chosen');
    });
    await viewer.leave();
  });
});
