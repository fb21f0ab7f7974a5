import { EngineRefusedError, EngineStillPreparingError, EngineUnreachableError } from '@acexy/engine-client';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../../../test/doubles/fake-clock.js';
import { NoEngineError } from '../../selection/engine-selector.js';
import { EnginesRefusedError, EnginesSilentError } from '../errors.js';
import { LIMITS, Pending, byId, makeSessions, watch } from '../../../../../test/doubles/proxy/sessions.fixture.js';

describe('when an engine fails to start the stream', () => {
  it('the next engine is tried after a refusal, and nothing is stopped that was not started', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    engines[0].start = new EngineRefusedError('start', 'failed to load content');
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(600);
    expect(viewer.outcome).toBe('playing');
    expect(selector.requests[1].exclude).toEqual(['engine-1']);
    expect(engines[0].stops).toHaveLength(0);
    expect(selector.released).toEqual(['engine-1']);
  });

  it('a released engine is no longer reported as its engine', async () => {
    const { registry, selector, engines } = makeSessions();
    engines[0].start = 'waits';
    watch(registry.subscribe(byId()));
    await settle();
    expect(registry.snapshots()[0].engine?.engineId).toBe('engine-1');
    selector.hold = new Pending();
    engines[0].replies[0].reject(new EngineRefusedError('start', 'failed to start'));
    await settle();
    expect(selector.requests).toHaveLength(2);
    expect(registry.snapshots()[0]).toMatchObject({ state: 'starting', engine: null, playback: null });
  });

  it('the next engine is tried when one hangs, and the hanging one is stopped when it answers after all', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    engines[0].start = 'waits';
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(LIMITS.noResponseTimeoutMs + 600);
    expect(viewer.outcome).toBe('playing');
    expect(engines[0].stops).toHaveLength(0);
    expect(selector.released).toEqual([]);
    engines[0].answer(0);
    await clock.advanceAndSettle(10);
    expect(engines[0].stops).toHaveLength(1);
    expect(selector.released).toEqual(['engine-1']);
    expect(viewer.sink.ended).toBeNull();
  });

  it('the same engine is asked again while it answers that it is still preparing', async () => {
    const { registry, engines, clock } = makeSessions(1);
    const preparing = new EngineStillPreparingError('media', 'download not found');
    engines[0].media = [preparing, preparing, 'flows'];
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(2000);
    expect(viewer.outcome).toBe('playing');
    expect(engines[0].starts).toHaveLength(1);
  });

  it("the start fails with the engines' reasons when all of them refuse", async () => {
    const { registry, selector, engines, clock } = makeSessions();
    for (const engine of engines) engine.start = new EngineRefusedError('start', 'failed to load content');
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(10);
    expect(viewer.error).toBeInstanceOf(EnginesRefusedError);
    expect(viewer.error?.message).toContain('failed to load content');
    expect(selector.held).toBe(0);
    expect(registry.sessions()).toHaveLength(0);
  });

  it.each([
    ['never open their media', 'waits' as const],
    ['send only headers', 'silent' as const],
    ['prepare forever', new EngineStillPreparingError('media', 'start timeout')],
  ])('the start fails within its limit when the engines %s, and all of them are stopped', async (_what, media) => {
    const { registry, selector, engines, clock } = makeSessions();
    for (const engine of engines) engine.media = media;
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(LIMITS.startTimeoutMs + 100);
    expect(viewer.error).toBeInstanceOf(EnginesSilentError);
    expect(engines.map(({ stops }) => stops.length)).toEqual([1, 1]);
    expect(selector.held).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it.each([
    ['many bytes at once', 100_000, 1, 0],
    ['a few bytes every second', 100, 6, 5000],
  ])(
    'the start fails with the reason within 5 s when the engine sends %s that are no transport stream',
    async (_what, bytes, times, ms) => {
      const { registry, engines, selector, clock } = makeSessions(1);
      engines[0].media = 'silent';
      const viewer = watch(registry.subscribe(byId()));
      await settle();
      for (let time = 0; time < times; time++) {
        engines[0].mediaStreams[0].write(Buffer.alloc(bytes, 'not a stream '));
        await clock.advanceAndSettle(time === times - 1 ? 0 : ms / (times - 1));
      }
      await settle();
      expect(viewer.error).toBeInstanceOf(EnginesRefusedError);
      expect(viewer.error?.message).toMatch(/^engine-1: no MPEG transport stream: no packets in \d+ bytes$/);
      expect(engines[0].mediaStreams[0].destroyed).toBe(true);
      expect([engines[0].stops.length, selector.held]).toEqual([1, 0]);
    },
  );

  it('the start fails with NoEngineError when there is no engine, or none is reachable', async () => {
    const none = makeSessions(0);
    const viewer = watch(none.registry.subscribe(byId()));
    await settle();
    expect(viewer.error).toBeInstanceOf(NoEngineError);
    const dead = makeSessions(1);
    dead.engines[0].start = new EngineUnreachableError('start: ECONNREFUSED');
    const other = watch(dead.registry.subscribe(byId()));
    await settle();
    expect(other.error).toBeInstanceOf(NoEngineError);
  });

  it('an engine that becomes free too late to start does not turn a full pool into an engine that failed', async () => {
    const { registry, selector, engines, clock } = makeSessions(1);
    engines[0].start = 'waits';
    selector.hold = new Pending();
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(LIMITS.startTimeoutMs - 1000);
    selector.hold.resolve();
    await clock.advanceAndSettle(2000);
    expect(viewer.error).toBeInstanceOf(NoEngineError);
    expect(engines[0].starts).toHaveLength(0);
    expect(clock.pending).toBe(0);
  });

  it('no further engine is tried when the time that is left is too short for its start', async () => {
    const { registry, selector, engines, clock } = makeSessions(2);
    engines[0].start = 'waits';
    selector.hold = new Pending();
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(LIMITS.startTimeoutMs - 10_000);
    selector.hold.resolve();
    await clock.advanceAndSettle(6000);
    engines[0].replies[0].reject(new EngineRefusedError('start', 'failed to start'));
    await settle();
    expect(viewer.error).toBeInstanceOf(EnginesRefusedError);
    expect(engines[1].starts).toHaveLength(0);
  });

  it('the next viewer causes a new start', async () => {
    const { registry, engines, clock } = makeSessions(1);
    engines[0].start = new EngineRefusedError('start', 'failed to start');
    const first = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(10);
    engines[0].start = 'plays';
    const second = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(600);
    expect([first.outcome, second.outcome]).toEqual(['failed', 'playing']);
  });

  it('media that end before the first packet count as a failure of the engine', async () => {
    const { registry, engines, clock } = makeSessions();
    engines[0].media = 'silent';
    const viewer = watch(registry.subscribe(byId()));
    await settle();
    engines[0].mediaStreams[0].end();
    await clock.advanceAndSettle(600);
    expect(viewer.outcome).toBe('playing');
    expect(engines[0].stops).toHaveLength(1);
  });

  it('an encrypted content is requested again as HLS with the same player id, and plays like any other', async () => {
    const { registry, engines } = makeSessions();
    engines[0].encrypted = true;
    const viewer = watch(registry.subscribe(byId()));
    await settle();
    const { starts } = engines[0];
    expect(starts.map(({ kind }) => kind)).toEqual(['ts', 'hls']);
    expect(starts[1].pid).toBe(starts[0].pid);
    expect(viewer.error).toBeNull();
    expect(registry.sessions()[0].state).toBe('playing');
  });

  it('an encrypted content that the engine refuses as HLS leaves no engine session', async () => {
    const { registry, engines, clock } = makeSessions(1);
    engines[0].encrypted = true;
    const begin = engines[0].startPlayback.bind(engines[0]);
    engines[0].startPlayback = (request) =>
      request.kind === 'hls' ? Promise.reject(new EngineRefusedError('start', 'failed to get manifest')) : begin(request);
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(11_000);
    expect(viewer.error).toMatchObject({ code: 'engines_refused' });
    expect(engines[0].running).toBe(0);
  });
});
