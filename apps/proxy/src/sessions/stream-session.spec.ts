import { describe, expect, it } from 'vitest';
import { settle } from '../../../../test/doubles/fake-clock.js';
import { StreamEndedError, ViewerLeftError } from './errors.js';
import {
  CONTENT_ID,
  FakeSink,
  INFOHASH,
  LINGER_MS,
  Pending,
  byId,
  byInfohash,
  makeSessions,
  packets,
  watch,
} from '../../../../test/doubles/proxy/sessions.fixture.js';

describe('the last viewer leaves', () => {
  it('while an engine is being chosen: the session ends at once, so that nobody waits behind a viewer who has left', async () => {
    const { registry, selector, clock } = makeSessions();
    selector.hold = new Pending();
    const viewer = watch(registry.subscribe(byId()));
    await settle();
    viewer.leave();
    await settle();
    expect(viewer.error).toBeInstanceOf(ViewerLeftError);
    expect(selector.requests[0].signal.aborted).toBe(true);
    expect(registry.sessions()).toHaveLength(0);
    expect(clock.pending).toBe(0);
  });

  it('while the engine has not answered: the answer is awaited, then the engine session is stopped and the engine released', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    engines[0].start = 'waits';
    const viewer = watch(registry.subscribe(byId()));
    await settle();
    viewer.leave();
    await clock.advanceAndSettle(LINGER_MS);
    expect(registry.sessions().map(({ state }) => state)).toEqual(['stopping']);
    expect(selector.held).toBe(1);
    engines[0].answer();
    await settle();
    expect(engines[0].stops).toHaveLength(1);
    expect(selector.held).toBe(0);
    expect(registry.sessions()).toHaveLength(0);
  });

  it.each(['waits', 'silent'] as const)('while the media are being opened (%s): the session is stopped', async (media) => {
    const { registry, selector, engines, clock } = makeSessions();
    engines[0].media = media;
    const viewer = watch(registry.subscribe(byId()));
    await settle();
    viewer.leave();
    await clock.advanceAndSettle(LINGER_MS);
    expect(engines[0].stops).toHaveLength(1);
    expect(selector.held).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('in mid-stream: the stream lingers, is then stopped once, and nothing is left', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(100);
    viewer.leave();
    await clock.advanceAndSettle(3000);
    engines[0].mediaStreams[0].write(packets());
    await clock.advanceAndSettle(LINGER_MS - 3001);
    expect(registry.sessions()[0].state).toBe('lingering');
    expect(engines[0].stops).toHaveLength(0);
    await clock.advanceAndSettle(1);
    expect(engines[0].stops).toHaveLength(1);
    expect(engines[0].mediaStreams[0].destroyed).toBe(true);
    expect(selector.held).toBe(0);
    expect(registry.sessions()).toHaveLength(0);
    expect(clock.pending).toBe(0);
  });

  it('and another one arrives in time: it continues the same engine session', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(100);
    viewer.leave();
    await clock.advanceAndSettle(3000);
    engines[0].mediaStreams[0].write(packets());
    await clock.advanceAndSettle(1900);
    const next = watch(registry.subscribe(byId()));
    for (let second = 0; second < 3; second++) {
      engines[0].mediaStreams[0].write(packets());
      await clock.advanceAndSettle(LINGER_MS / 3);
    }
    expect(next.outcome).toBe('playing');
    expect(next.sink.ended).toBeNull();
    expect(engines[0].starts).toHaveLength(1);
  });

  it('its stream ends at once when another stream needs the engine', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(100);
    expect(registry.freeEngine()).toBe(false);
    viewer.leave();
    expect(registry.freeEngine()).toBe(true);
    await settle();
    expect(engines[0].stops).toHaveLength(1);
  });

  it('as many streams without viewers end as engines are wanted, and none that is watched', async () => {
    const { registry, engines, clock } = makeSessions();
    engines[0].infohash = null;
    const viewers = ['a', 'b', 'c'].map((digit) => watch(registry.subscribe(byId(digit.repeat(40)))));
    await clock.advanceAndSettle(100);
    expect(registry.endLingering(3)).toBe(0);
    viewers[0].leave();
    viewers[1].leave();
    expect([registry.endLingering(1), registry.endLingering(5)]).toEqual([1, 1]);
    await settle();
    expect(registry.sessions().map(({ viewerCount }) => viewerCount)).toEqual([1]);
    expect(engines[0].stops).toHaveLength(2);
  });

  it('its stream does not linger while another stream waits for an engine', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(100);
    selector.hold = new Pending();
    watch(registry.subscribe(byId('c'.repeat(40))));
    await settle();
    expect(selector.requests[1].onNoneFree()).toBe(false);
    viewer.leave();
    await settle();
    expect(engines[0].stops).toHaveLength(1);
    expect(selector.held).toBe(0);
  });

  it('an engine that is being released is awaited for as long as its stop may take', async () => {
    const { registry, engines, clock } = makeSessions();
    engines[0].start = 'waits';
    const viewer = watch(registry.subscribe(byId()));
    await settle();
    viewer.leave();
    expect([registry.freeEngine(), registry.freeEngine()]).toEqual([true, true]);
    await clock.advanceAndSettle(3000);
    expect(registry.freeEngine()).toBe(false);
    engines[0].answer();
    await settle();
    expect(registry.sessions()).toHaveLength(0);
  });

  it('zapping through hundreds of contents leaves no session, lease, timer or engine session behind', async () => {
    const { registry, selector, engines, clock } = makeSessions(3);
    for (let zap = 0; zap < 300; zap++) {
      engines[zap % 3].start = zap % 2 ? 'plays' : 'waits';
      selector.engines.push(selector.engines.shift()!);
      for (const engine of engines) engine.infohash = zap.toString(16).padStart(40, '0');
      const viewer = watch(registry.subscribe(byId(zap.toString(16).padStart(40, 'f'))));
      await clock.advanceAndSettle((zap * 37) % 400);
      viewer.leave();
    }
    for (let second = 0; second < 2 * (LINGER_MS / 1000); second++) {
      for (const engine of engines) engine.replies.forEach((_reply, index) => engine.answer(index));
      await clock.advanceAndSettle(1000);
    }
    expect(registry.sessions()).toHaveLength(0);
    expect(selector.given.length).toBeGreaterThan(200);
    expect(selector.held).toBe(0);
    expect(clock.pending).toBe(0);
    for (const engine of engines) {
      expect(new Set(engine.stops).size).toBe(engine.stops.length);
      expect(engine.running).toBe(0);
    }
  }, 60_000);
});

describe('the title of a stream', () => {
  it('is looked up a second after the first packet, so that no start of another stream waits for it', async () => {
    const { registry, engines, clock } = makeSessions();
    watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(900);
    expect([registry.snapshots()[0].state, engines[0].lookups]).toEqual(['playing', []]);
    await clock.advanceAndSettle(200);
    expect(registry.snapshots()[0].title).toBe(`title of ${CONTENT_ID}`);
  });

  it('is not looked up when the stream ends before', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(100);
    viewer.leave();
    await registry.sessions()[0].stop('viewers-left', 'the last viewer left');
    await clock.advanceAndSettle(2000);
    expect(engines[0].lookups).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('is looked up at once when the reply to the start had no infohash, because another stream may have the same content', async () => {
    const { registry, engines } = makeSessions();
    engines[0].infohash = null;
    watch(registry.subscribe(byId()));
    await settle();
    expect(engines[0].lookups).toEqual([CONTENT_ID]);
  });
});

describe('a viewer at the end of a stream', () => {
  it('who joins just as the stream ends gets an error instead of an empty stream', async () => {
    const { registry, clock } = makeSessions();
    const subscription = registry.subscribe(byId());
    await clock.advanceAndSettle(10);
    await registry.sessions()[0].stop('source-lost', 'the engine ended the stream');
    await subscription.playing().catch(() => undefined);
    expect(() => subscription.attach(new FakeSink(), { onEnd: () => undefined })).toThrow(StreamEndedError);
  });

  it('leaves twice and is counted once', async () => {
    const { registry, clock } = makeSessions();
    const a = registry.subscribe(byId());
    registry.subscribe(byId());
    await clock.advanceAndSettle(10);
    a.leave();
    a.leave();
    expect(registry.sessions()[0].viewerCount).toBe(1);
    expect(registry.find(byInfohash(INFOHASH))?.state).toBe('playing');
  });
});
