import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../../../test/doubles/fake-clock.js';
import { ShuttingDownError, TooManyViewersError } from './errors.js';
import { LINGER_MS, byId, byInfohash, makeSessions, packets, watch } from '../../../../test/doubles/proxy/sessions.fixture.js';

describe('one session for all who watch a content', () => {
  it('starts one engine session for any number of viewers, and all of them get bytes', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewers = Array.from({ length: 10 }, () => watch(registry.subscribe(byId())));
    await clock.advanceAndSettle(600);
    expect(viewers.map(({ outcome }) => outcome)).toEqual(Array(10).fill('playing'));
    expect(engines[0].starts).toHaveLength(1);
    expect(new Set(viewers.map(({ sink }) => sink.bytes)).size).toBe(1);
    expect(viewers[0].sink.bytes).toBeGreaterThan(0);
  });

  it('gives another session to another file of the content, and to another content', async () => {
    const { registry, selector } = makeSessions();
    registry.subscribe(byId());
    registry.subscribe(byId(undefined, { _idx: '1' }));
    registry.subscribe(byId('c'.repeat(40)));
    await settle();
    expect(selector.requests).toHaveLength(3);
  });

  it('each start is a player of its own to the engine', async () => {
    const { registry, engines, clock } = makeSessions();
    const first = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(10);
    first.leave();
    await clock.advanceAndSettle(LINGER_MS);
    watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(10);
    const pids = engines[0].starts.map(({ pid }) => pid);
    expect(pids).toHaveLength(2);
    expect(new Set(pids).size).toBe(2);
  });

  it('a viewer who asks by infohash joins the stream that was started by id once the engine has told the infohash', async () => {
    const { registry, selector, clock } = makeSessions();
    watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(10);
    const second = watch(registry.subscribe(byInfohash()));
    await clock.advanceAndSettle(600);
    expect(second.outcome).toBe('playing');
    expect(selector.requests).toHaveLength(1);
  });

  it('an id whose infohash was told once is known for later', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    const first = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(10);
    first.leave();
    await clock.advanceAndSettle(LINGER_MS / 2);
    engines[0].mediaStreams[0].write(packets());
    await clock.advanceAndSettle(LINGER_MS / 2);
    watch(registry.subscribe(byInfohash()));
    watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(10);
    expect(selector.requests).toHaveLength(2);
  });

  it('two starts that race under both names become one stream: the engine that answers first, and the other is stopped', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    engines[0].start = 'waits';
    const one = watch(registry.subscribe(byInfohash()));
    await settle();
    selector.engines.reverse();
    const other = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(10);
    expect([one.outcome, other.outcome]).toEqual(['playing', 'playing']);
    engines[0].answer();
    await clock.advanceAndSettle(600);
    expect(engines.map(({ stops }) => stops.length)).toEqual([1, 0]);
    expect(registry.sessions()).toHaveLength(1);
    expect(selector.held).toBe(1);
    expect(registry.sessions()[0].viewerCount).toBe(2);
  });

  it('the same race is one stream when the one by infohash is ahead', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    engines[0].start = 'waits';
    const one = watch(registry.subscribe(byId()));
    await settle();
    selector.engines.reverse();
    const other = watch(registry.subscribe(byInfohash()));
    await clock.advanceAndSettle(10);
    engines[0].answer();
    await clock.advanceAndSettle(600);
    expect([one.outcome, other.outcome]).toEqual(['playing', 'playing']);
    expect(engines[0].stops).toHaveLength(1);
    expect(engines[1].stops).toHaveLength(0);
    expect(registry.sessions()).toHaveLength(1);
  });
});

describe('an engine that carries several streams', () => {
  it.each([
    ['plays', byInfohash(), byId()],
    ['plays', byId(), byInfohash()],
    ['waits', byInfohash(), byId()],
    ['waits', byId(), byInfohash()],
  ] as const)('is never asked for one content under both of its names: the first %s', async (start, first, second) => {
    const { registry, engines, selector, clock } = makeSessions(1);
    engines[0].start = start;
    const one = watch(registry.subscribe(first));
    await clock.advanceAndSettle(100);
    const other = watch(registry.subscribe(second));
    await clock.advanceAndSettle(100);
    if (start === 'waits') engines[0].answer(0);
    await clock.advanceAndSettle(600);
    expect([one.outcome, other.outcome]).toEqual(['playing', 'playing']);
    expect(engines[0].starts).toHaveLength(1);
    expect(engines[0].stops).toHaveLength(0);
    expect(selector.held).toBe(1);
  });

  it('is asked what an id means only there', async () => {
    const { registry, lookups, clock } = makeSessions(2);
    watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(100);
    expect(lookups).toEqual([]);
    watch(registry.subscribe(byId('c'.repeat(40))));
    await clock.advanceAndSettle(100);
    expect(lookups).toEqual(['engine-1']);
  });
});

describe('limits on viewers', () => {
  it('turn away whoever is one too many, for a stream and in all, and start nothing for them', async () => {
    const { registry, selector, engines, clock } = makeSessions(2, new FakeClock(), {
      viewerLimits: { maxViewers: 3, maxViewersPerStream: 2 },
    });
    const refused: string[] = [];
    registry.listen({ viewerRefused: (full) => refused.push(full) });
    const [first] = [watch(registry.subscribe(byId())), watch(registry.subscribe(byId()))];
    await clock.advanceAndSettle(600);
    expect(() => registry.subscribe(byId())).toThrow(new TooManyViewersError('stream', 2));
    selector.engines.reverse();
    engines[1].infohash = 'd'.repeat(40);
    registry.subscribe(byId('c'.repeat(40)));
    expect(() => registry.subscribe(byId('e'.repeat(40)))).toThrow(new TooManyViewersError('all', 3));
    expect(refused).toEqual(['stream', 'all']);
    await settle();
    expect(selector.requests).toHaveLength(2);
    first.leave();
    watch(registry.subscribe(byId()));
    expect(registry.sessions().map(({ viewerCount }) => viewerCount)).toEqual([2, 1]);
  });
});

describe('the proxy is told to end', () => {
  it('lets its viewers watch on for a while, takes no new ones, and does not wait once the last has left', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(600);
    let drained = false;
    void registry.drain(60_000).then(() => (drained = true));
    await clock.advanceAndSettle(1000);
    engines[0].mediaStreams[0].write(packets());
    await clock.advanceAndSettle(1000);
    expect([drained, viewer.sink.ended, registry.closing]).toEqual([false, null, true]);
    expect(() => registry.subscribe(byId())).toThrow(ShuttingDownError);
    viewer.leave();
    await settle();
    expect(drained).toBe(true);
    expect(registry.sessions()).toHaveLength(0);
    expect(engines[0].stops).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('waits no longer for them than it is given', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(600);
    const drained = registry.drain(3000);
    for (let second = 0; second < 3; second++) {
      engines[0].mediaStreams[0].write(packets());
      await clock.advanceAndSettle(1000);
    }
    await drained;
    expect(viewer.sink.ended).toBeNull();
    await registry.shutdown(5000);
    expect(viewer.sink.cleanEnd).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('gives up at once what nobody watches, and waits for nobody where there is none', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(600);
    viewer.leave();
    expect(registry.sessions()[0].state).toBe('lingering');
    await registry.drain(60_000);
    await settle();
    expect(engines[0].stops).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });
});

describe('the proxy shuts down', () => {
  it('ends its viewers cleanly, turns new ones away, and stops every engine session', async () => {
    const { registry, selector, engines, clock } = makeSessions();
    const playing = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(600);
    selector.engines.reverse();
    engines[1].start = 'waits';
    engines[1].infohash = 'd'.repeat(40);
    const waiting = watch(registry.subscribe(byId('c'.repeat(40))));
    await settle();
    const done = registry.shutdown(5000);
    await settle();
    expect(playing.sink.ended).toBe('source-ended');
    expect(waiting.error).toBeInstanceOf(ShuttingDownError);
    expect(() => registry.subscribe(byId())).toThrow(ShuttingDownError);
    engines[1].answer();
    await done;
    expect(engines.map(({ stops }) => stops.length)).toEqual([1, 1]);
    expect(selector.held).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('does not wait for ever for an engine that never answered its start', async () => {
    const { registry, selector, engines, clock } = makeSessions(1);
    engines[0].start = 'waits';
    watch(registry.subscribe(byId()));
    await settle();
    const done = registry.shutdown(5000);
    await clock.advanceAndSettle(5000);
    await done;
    expect(selector.held).toBe(0);
    expect(clock.pending).toBe(0);
  });
});
