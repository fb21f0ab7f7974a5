/** Exceptions are injected into the code that handles one source: each ends that source, never the stream of another viewer or the process. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { expectNothingLeft, feed, playing } from '../../../../test/doubles/proxy/playing-stream.fixture.js';
import { byId, makeSessions, watch } from '../../../../test/doubles/proxy/sessions.fixture.js';
import { settle } from '../../../../test/doubles/fake-clock.js';
import { SourceFaultDetector } from '../broadcast/broadcast.js';
import { StreamBuffer } from '../broadcast/buffer/stream-buffer.js';
import { SourceSwitch } from '../broadcast/splice/source-switch.js';
import type { SessionRegistry } from './session-registry.js';
import { StreamSession } from './stream-session.js';

afterEach(() => void vi.restoreAllMocks());

function fail(): never {
  throw new Error('broken');
}

function exceptionsOf(registry: SessionRegistry): string[] {
  const ended: string[] = [];
  registry.events.subscribe((event) => {
    if (event.type === 'exception') ended.push(event.ended);
  });
  return ended;
}

async function expectPlaying(scene: Awaited<ReturnType<typeof playing>>, engineId: string): Promise<void> {
  expect(scene.session.snapshot()).toMatchObject({ state: 'playing', engine: { engineId } });
  expect(scene.viewer.sink.ended).toBeNull();
  const { bytes } = scene.viewer.sink;
  await feed(scene, scene.engines[Number(engineId.slice(-1)) - 1], 200, 220);
  expect(scene.viewer.sink.bytes).toBeGreaterThan(bytes);
  await scene.registry.shutdown(1000);
  expect(scene.viewer.sink.ended).toBe('source-ended');
  expectNothingLeft(scene);
}

describe('an exception', () => {
  it('while packets of the source are read loses that source, and another engine continues the stream', async () => {
    const scene = await playing();
    const exceptions = exceptionsOf(scene.registry);
    vi.spyOn(StreamBuffer.prototype, 'take').mockImplementationOnce(fail);
    await feed(scene, scene.engines[0], 100, 110);
    expect(scene.session.state).toBe('failing_over');
    await feed(scene, scene.engines[1], 25, 200, 10);
    expect(scene.failovers).toMatchObject([{ cause: 'exception', outcome: 'exact' }]);
    expect(exceptions).toEqual(['source']);
    await expectPlaying(scene, 'engine-2');
  });

  it('while the next source is examined ends that attempt, and a further engine continues the stream', async () => {
    const scene = await playing(3);
    const exceptions = exceptionsOf(scene.registry);
    vi.spyOn(SourceSwitch.prototype, 'take').mockImplementationOnce(fail);
    scene.engines[0].mediaStreams[0].end();
    await settle();
    await feed(scene, scene.engines[1], 25, 50, 10);
    await scene.clock.advanceAndSettle(1000);
    await feed(scene, scene.engines[2], 25, 200, 10);
    expect([exceptions, scene.failovers.length]).toEqual([['source'], 1]);
    await expectPlaying(scene, 'engine-3');
  });

  it('at the start ends that attempt, and the next engine plays', async () => {
    const { registry, engines, clock } = makeSessions(2);
    const exceptions = exceptionsOf(registry);
    vi.spyOn(StreamBuffer.prototype, 'take').mockImplementationOnce(fail);
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(2000);
    expect([viewer.outcome, exceptions]).toEqual(['playing', ['source']]);
    expect([engines[0].running, engines[1].running]).toEqual([0, 1]);
    await registry.shutdown(1000);
  });

  it('while a loss is handled ends that stream cleanly and no other', async () => {
    const scene = await playing();
    const exceptions = exceptionsOf(scene.registry);
    scene.engines[1].infohash = 'd'.repeat(40);
    scene.selector.engines.reverse();
    const other = watch(scene.registry.subscribe(byId('c'.repeat(40))));
    await settle();
    await feed(scene, scene.engines[1], 0, 100);
    vi.spyOn(StreamSession.prototype, 'onSourceLost').mockImplementationOnce(fail);
    scene.engines[0].mediaStreams[0].end();
    await settle();
    expect([scene.viewer.sink.ended, exceptions]).toEqual(['source-ended', ['stream']]);
    expect([other.sink.ended, scene.engines[0].running]).toEqual([null, 0]);
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('in a check of the source is reported, and the checks go on', async () => {
    const scene = await playing();
    const exceptions = exceptionsOf(scene.registry);
    const judge = vi.spyOn(SourceFaultDetector.prototype, 'judge').mockImplementationOnce(fail);
    await feed(scene, scene.engines[0], 100, 200);
    expect(exceptions).toEqual(['none']);
    expect(judge.mock.calls.length).toBeGreaterThan(2);
    await expectPlaying(scene, 'engine-1');
  });

  it('in a listener of session events is reported, and the session ends as it should', async () => {
    const scene = await playing();
    const exceptions = exceptionsOf(scene.registry);
    scene.registry.events.subscribe(fail);
    await scene.registry.shutdown(1000);
    expect(exceptions).toContain('none');
    expect(scene.viewer.sink.ended).toBe('source-ended');
    expectNothingLeft(scene);
  });
});
