import { EngineRefusedError, EngineStillPreparingError, EngineUnreachableError } from '@acexy/engine-client';
import { describe, expect, it } from 'vitest';
import { settle } from '../clock.test-kit.js';
import { NoEngineError } from '../selection/engine-selector.js';
import type { Admission } from './admission.js';
import { EnginesRefusedError, EnginesSilentError, ShuttingDownError, StreamEndedError, ViewerLeftError } from './errors.js';
import { FakeSink, INFOHASH, LIMITS, LINGER_MS, Pending, byId, byInfohash, makeSessions, packets } from './sessions.test-kit.js';

/** Attaches as soon as the stream plays; what the wait came to shows in `outcome`. */
function watch(admission: Admission) {
  const sink = new FakeSink();
  const viewer = { sink, outcome: 'waiting' as string, error: null as Error | null, leave: () => admission.leave() };
  void admission.playing().then(
    () => {
      viewer.outcome = 'playing';
      admission.attach(sink, {
        onEnd: (reason) => {
          sink.ended = reason;
          admission.leave();
        },
      });
    },
    (error: Error) => {
      viewer.outcome = 'failed';
      viewer.error = error;
      admission.leave();
    },
  );
  return viewer;
}

describe('one session for all who watch a content', () => {
  it('starts one engine session for any number of viewers, and all of them get bytes', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewers = Array.from({ length: 10 }, () => watch(registry.admit(byId())));
    await clock.advance(600);
    expect(viewers.map(({ outcome }) => outcome)).toEqual(Array(10).fill('playing'));
    expect(engines[0].starts).toHaveLength(1);
    expect(new Set(viewers.map(({ sink }) => sink.bytes)).size).toBe(1);
    expect(viewers[0].sink.bytes).toBeGreaterThan(0);
  });

  it('gives another session to another file of the content, and to another content', async () => {
    const { registry, selector } = makeSessions();
    registry.admit(byId());
    registry.admit(byId(undefined, { _idx: '1' }));
    registry.admit(byId('c'.repeat(40)));
    await settle();
    expect(selector.requests).toHaveLength(3);
  });

  it('each start is a player of its own to the engine', async () => {
    const { registry, engines, clock } = makeSessions();
    const first = watch(registry.admit(byId()));
    await clock.advance(10);
    first.leave();
    await clock.advance(LINGER_MS);
    watch(registry.admit(byId()));
    await clock.advance(10);
    const pids = engines[0].starts.map(({ pid }) => pid);
    expect(pids).toHaveLength(2);
    expect(new Set(pids).size).toBe(2);
  });

  it('a viewer who asks by infohash joins the stream that was started by id once the engine has told the infohash', async () => {
    const { registry, selector, clock } = makeSessions();
    watch(registry.admit(byId()));
    await clock.advance(10);
    const second = watch(registry.admit(byInfohash()));
    await clock.advance(600);
    expect(second.outcome).toBe('playing');
    expect(selector.requests).toHaveLength(1);
  });

  it('an id whose infohash was told once is known for later', async () => {
    const { registry, selector, clock } = makeSessions();
    const first = watch(registry.admit(byId()));
    await clock.advance(10);
    first.leave();
    await clock.advance(LINGER_MS);
    watch(registry.admit(byInfohash()));
    watch(registry.admit(byId()));
    await clock.advance(10);
    expect(selector.requests).toHaveLength(2);
  });

  it('two starts that race under both names become one stream, and the second engine is stopped and given back', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    engines[0].start = 'waits';
    const one = watch(registry.admit(byInfohash()));
    await settle();
    selector.engines.reverse();
    const other = watch(registry.admit(byId()));
    await clock.advance(10);
    expect(engines[1].starts).toHaveLength(1);
    expect(engines[1].stops).toHaveLength(1);
    expect(other.outcome).toBe('waiting');
    engines[0].answer();
    await clock.advance(600);
    expect([one.outcome, other.outcome]).toEqual(['playing', 'playing']);
    expect(registry.sessions()).toHaveLength(1);
    expect(selector.held).toBe(1);
    expect(registry.sessions()[0].viewerCount).toBe(2);
  });

  it('the same race with the start by id ahead is one stream as well', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    engines[0].start = 'waits';
    const one = watch(registry.admit(byId()));
    await settle();
    selector.engines.reverse();
    const other = watch(registry.admit(byInfohash()));
    await clock.advance(10);
    engines[0].answer();
    await clock.advance(600);
    expect([one.outcome, other.outcome]).toEqual(['playing', 'playing']);
    expect(engines[0].stops).toHaveLength(1);
    expect(engines[1].stops).toHaveLength(0);
    expect(registry.sessions()).toHaveLength(1);
  });
});

describe('a start that fails', () => {
  it('goes on with the next engine when one refuses, and stops nothing that was not started', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    engines[0].start = new EngineRefusedError('start', 'failed to load content', 200);
    const viewer = watch(registry.admit(byId()));
    await clock.advance(600);
    expect(viewer.outcome).toBe('playing');
    expect(selector.requests[1].exclude).toEqual(['engine-1']);
    expect(engines[0].stops).toHaveLength(0);
    expect(selector.released).toEqual(['engine-1']);
  });

  it('goes on with the next engine when one hangs, and stops the hanging one when it answers after all', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    engines[0].start = 'waits';
    const viewer = watch(registry.admit(byId()));
    await clock.advance(LIMITS.noResponseTimeoutMs + 600);
    expect(viewer.outcome).toBe('playing');
    expect(engines[0].stops).toHaveLength(0);
    expect(selector.released).toEqual([]);
    engines[0].answer(0);
    await clock.advance(10);
    expect(engines[0].stops).toHaveLength(1);
    expect(selector.released).toEqual(['engine-1']);
    expect(viewer.sink.ended).toBeNull();
  });

  it('asks the same engine again while it says that it is still preparing', async () => {
    const { registry, engines, clock } = makeSessions(1);
    const preparing = new EngineStillPreparingError('media', 'download not found', 500);
    engines[0].media = [preparing, preparing, 'flows'];
    const viewer = watch(registry.admit(byId()));
    await clock.advance(2000);
    expect(viewer.outcome).toBe('playing');
    expect(engines[0].starts).toHaveLength(1);
  });

  it('is over with the words of the engines when every engine tried refuses', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    for (const engine of engines) engine.start = new EngineRefusedError('start', 'failed to load content', 200);
    const viewer = watch(registry.admit(byId()));
    await clock.advance(10);
    expect(viewer.error).toBeInstanceOf(EnginesRefusedError);
    expect(viewer.error?.message).toContain('failed to load content');
    expect(selector.held).toBe(0);
    expect(registry.sessions()).toHaveLength(0);
  });

  it.each([
    ['hold their media back', 'waits' as const],
    ['send headers and then nothing', 'silent' as const],
    ['are preparing for ever', new EngineStillPreparingError('media', 'start timeout', 500)],
  ])('is over within its limit when the engines %s, and all of them are stopped', async (_what, media) => {
    const { registry, selector, engines, clock } = makeSessions();
    for (const engine of engines) engine.media = media;
    const viewer = watch(registry.admit(byId()));
    await clock.advance(LIMITS.startTimeoutMs + 100);
    expect(viewer.error).toBeInstanceOf(EnginesSilentError);
    expect(engines.map(({ stops }) => stops.length)).toEqual([1, 1]);
    expect(selector.held).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('has no engine when there is none, or none can be reached', async () => {
    const none = makeSessions(0);
    const viewer = watch(none.registry.admit(byId()));
    await settle();
    expect(viewer.error).toBeInstanceOf(NoEngineError);
    const dead = makeSessions(1);
    dead.engines[0].start = new EngineUnreachableError('start: ECONNREFUSED');
    const other = watch(dead.registry.admit(byId()));
    await settle();
    expect(other.error).toBeInstanceOf(NoEngineError);
  });

  it('tries anew for the next viewer', async () => {
    const { registry, engines, clock } = makeSessions(1);
    engines[0].start = new EngineRefusedError('start', 'failed to start', 200);
    const first = watch(registry.admit(byId()));
    await clock.advance(10);
    engines[0].start = 'plays';
    const second = watch(registry.admit(byId()));
    await clock.advance(600);
    expect([first.outcome, second.outcome]).toEqual(['failed', 'playing']);
  });

  it('media that end before the first packet count against the engine', async () => {
    const { registry, engines, clock } = makeSessions();
    engines[0].media = 'silent';
    const viewer = watch(registry.admit(byId()));
    await settle();
    engines[0].mediaStreams[0].end();
    await clock.advance(600);
    expect(viewer.outcome).toBe('playing');
    expect(engines[0].stops).toHaveLength(1);
  });
});

describe('the last viewer leaves', () => {
  it('while an engine is being chosen: nothing is left after the linger', async () => {
    const { registry, selector, clock } = makeSessions();
    selector.hold = new Pending();
    const viewer = watch(registry.admit(byId()));
    await settle();
    viewer.leave();
    await clock.advance(LINGER_MS);
    expect(viewer.error).toBeInstanceOf(ViewerLeftError);
    expect(registry.sessions()).toHaveLength(0);
    expect(clock.pending).toBe(0);
  });

  it('while the engine has not answered: the answer is read on, then the session is stopped and the engine given back', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    engines[0].start = 'waits';
    const viewer = watch(registry.admit(byId()));
    await settle();
    viewer.leave();
    await clock.advance(LINGER_MS);
    expect(registry.sessions().map(({ state }) => state)).toEqual(['stopping']);
    expect(selector.held).toBe(1);
    engines[0].answer();
    await settle();
    expect(engines[0].stops).toHaveLength(1);
    expect(selector.held).toBe(0);
    expect(registry.sessions()).toHaveLength(0);
  });

  it.each(['waits', 'silent'] as const)('while the media are on their way (%s): the session is stopped', async (media) => {
    const { registry, selector, engines, clock } = makeSessions();
    engines[0].media = media;
    const viewer = watch(registry.admit(byId()));
    await settle();
    viewer.leave();
    await clock.advance(LINGER_MS);
    expect(engines[0].stops).toHaveLength(1);
    expect(selector.held).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('in mid-stream: the stream lingers, then is stopped once, and nothing is left', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    const viewer = watch(registry.admit(byId()));
    await clock.advance(100);
    viewer.leave();
    await clock.advance(3000);
    engines[0].mediaStreams[0].write(packets());
    await clock.advance(LINGER_MS - 3001);
    expect(registry.sessions()[0].state).toBe('lingering');
    expect(engines[0].stops).toHaveLength(0);
    await clock.advance(1);
    expect(engines[0].stops).toHaveLength(1);
    expect(engines[0].mediaStreams[0].destroyed).toBe(true);
    expect(selector.held).toBe(0);
    expect(registry.sessions()).toHaveLength(0);
    expect(clock.pending).toBe(0);
  });

  it('and another one comes in time: it continues the same engine session', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewer = watch(registry.admit(byId()));
    await clock.advance(100);
    viewer.leave();
    await clock.advance(3000);
    engines[0].mediaStreams[0].write(packets());
    await clock.advance(1900);
    const next = watch(registry.admit(byId()));
    for (let second = 0; second < 3; second++) {
      engines[0].mediaStreams[0].write(packets());
      await clock.advance(LINGER_MS / 3);
    }
    expect(next.outcome).toBe('playing');
    expect(next.sink.ended).toBeNull();
    expect(engines[0].starts).toHaveLength(1);
  });

  it('its stream is given up at once when its engine is wanted', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewer = watch(registry.admit(byId()));
    await clock.advance(100);
    expect(registry.onScarce()).toBe(false);
    viewer.leave();
    expect(registry.onScarce()).toBe(true);
    await settle();
    expect(engines[0].stops).toHaveLength(1);
  });

  it('zapping through hundreds of contents leaves no session, seat, timer or engine session behind', async () => {
    const { registry, selector, engines, clock } = makeSessions(3);
    for (let zap = 0; zap < 300; zap++) {
      engines[zap % 3].start = zap % 2 ? 'plays' : 'waits';
      selector.engines.push(selector.engines.shift()!);
      for (const engine of engines) engine.infohash = zap.toString(16).padStart(40, '0');
      const viewer = watch(registry.admit(byId(zap.toString(16).padStart(40, 'f'))));
      await clock.advance((zap * 37) % 400);
      viewer.leave();
    }
    for (let second = 0; second < 2 * (LINGER_MS / 1000); second++) {
      for (const engine of engines) engine.replies.forEach((_reply, index) => engine.answer(index));
      await clock.advance(1000);
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

describe('the source is lost', () => {
  it.each([
    ['ends', (media: { end(): void }) => void media.end()],
    ['breaks', (media: { destroy(error: Error): void }) => media.destroy(new Error('reset'))],
  ])(
    'when the engine %s the stream every viewer gets a clean end, and the session is stopped and ended with the reason',
    async (_what, lose) => {
      const { registry, selector, engines, clock } = makeSessions();
      const ended: string[] = [];
      registry.listen({ sessionEnded: ({ ending }) => void ended.push(`${ending?.cause}: ${ending?.reason}`) });
      const viewers = [watch(registry.admit(byId())), watch(registry.admit(byId()))];
      await clock.advance(600);
      lose(engines[0].mediaStreams[0] as never);
      await settle();
      expect(viewers.map(({ sink }) => [sink.ended, sink.cleanEnd])).toEqual([
        ['source-ended', true],
        ['source-ended', true],
      ]);
      expect(engines[0].stops).toHaveLength(1);
      expect(selector.held).toBe(0);
      expect(ended).toEqual([expect.stringContaining('source-lost: the ')]);
      expect(clock.pending).toBe(0);
    },
  );

  it('silence is a loss after 5 s at the earliest, and a gap of 4 s is none', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewer = watch(registry.admit(byId()));
    await clock.advance(100);
    engines[0].mediaStreams[0].write(packets());
    await clock.advance(4000);
    engines[0].mediaStreams[0].write(packets());
    await clock.advance(4900);
    expect(viewer.sink.ended).toBeNull();
    await clock.advance(5200);
    expect(viewer.sink.ended).toBe('source-ended');
    expect(engines[0].stops).toHaveLength(1);
  });

  it('a viewer who comes afterwards gets a new session', async () => {
    const { registry, engines, clock } = makeSessions();
    watch(registry.admit(byId()));
    await clock.advance(600);
    engines[0].mediaStreams[0].end();
    await settle();
    const next = watch(registry.admit(byId()));
    await clock.advance(600);
    expect(next.outcome).toBe('playing');
    expect(engines[0].starts).toHaveLength(2);
  });
});

describe('the proxy shuts down', () => {
  it('ends its viewers cleanly, turns new ones away, and stops every engine session', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    const playing = watch(registry.admit(byId()));
    await clock.advance(600);
    selector.engines.reverse();
    engines[1].start = 'waits';
    engines[1].infohash = 'd'.repeat(40);
    const waiting = watch(registry.admit(byId('c'.repeat(40))));
    await settle();
    const done = registry.shutdown(5000);
    await settle();
    expect(playing.sink.ended).toBe('source-ended');
    expect(waiting.error).toBeInstanceOf(ShuttingDownError);
    expect(() => registry.admit(byId())).toThrow(ShuttingDownError);
    engines[1].answer();
    await done;
    expect(engines.map(({ stops }) => stops.length)).toEqual([1, 1]);
    expect(selector.held).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('does not wait for ever for an engine that never answered its start', async () => {
    const { registry, selector, engines, clock } = makeSessions(1);
    engines[0].start = 'waits';
    watch(registry.admit(byId()));
    await settle();
    const done = registry.shutdown(5000);
    await clock.advance(5000);
    await done;
    expect(selector.held).toBe(0);
    expect(clock.pending).toBe(0);
  });
});

describe('a viewer at the very edge', () => {
  it('who is let in just when the stream ends is told so, rather than sent an empty stream', async () => {
    const { registry, engines, clock } = makeSessions();
    const admission = registry.admit(byId());
    await clock.advance(10);
    engines[0].mediaStreams[0].end();
    await settle();
    await admission.playing().catch(() => undefined);
    expect(() => admission.attach(new FakeSink(), { onEnd: () => undefined })).toThrow(StreamEndedError);
  });

  it('leaves twice and is counted once', async () => {
    const { registry, clock } = makeSessions();
    const a = registry.admit(byId());
    registry.admit(byId());
    await clock.advance(10);
    a.leave();
    a.leave();
    expect(registry.sessions()[0].viewerCount).toBe(1);
    expect(registry.find(byInfohash(INFOHASH))?.state).toBe('playing');
  });
});
