import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../../../test/doubles/fake-clock.js';
import { MemoryFullError, ShuttingDownError, TooManyViewersError } from './errors.js';
import { reachedLimit } from './session-registry.js';
import { LINGER_MS, byId, byInfohash, makeSessions, packets, watch } from '../../../../test/doubles/proxy/sessions.fixture.js';

describe('all viewers of a content share one session', () => {
  it('starts one engine session for any number of viewers, and all of them get bytes', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewers = Array.from({ length: 10 }, () => watch(registry.subscribe(byId())));
    await clock.advanceAndSettle(600);
    expect(viewers.map(({ outcome }) => outcome)).toEqual(Array(10).fill('playing'));
    expect(engines[0].starts).toHaveLength(1);
    expect(new Set(viewers.map(({ sink }) => sink.bytes)).size).toBe(1);
    expect(viewers[0].sink.bytes).toBeGreaterThan(0);
  });

  it('another file of the content, and another content, get their own session', async () => {
    const { registry, engines } = makeSessions();
    engines[0].infohashes.set('c'.repeat(40), 'd'.repeat(40));
    registry.subscribe(byId());
    registry.subscribe(byId(undefined, { _idx: '1' }));
    registry.subscribe(byId('c'.repeat(40)));
    await settle();
    expect(registry.snapshots().map(({ engine }) => engine?.engineId)).toEqual(['engine-1', 'engine-2', 'engine-1']);
  });

  it('each start has its own player id', async () => {
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

  it('a viewer with the infohash joins the stream that was started by content id, once the engine has answered the infohash', async () => {
    const { registry, selector, clock } = makeSessions();
    watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(10);
    const second = watch(registry.subscribe(byInfohash()));
    await clock.advanceAndSettle(600);
    expect(second.outcome).toBe('playing');
    expect(selector.requests).toHaveLength(1);
  });

  it('the infohash of a content id is remembered after the stream has ended', async () => {
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

  it('two starts under both names become one stream: the engine that answers first plays, and the other is stopped', async () => {
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

  it('two starts under both names become one stream also when the one by infohash answers first', async () => {
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

describe('viewer limits', () => {
  it.each([
    [0, 0, 1000, 1000, null],
    [10, 3, 9, 2, null],
    [10, 3, 9, 3, 'stream'],
    [10, 3, 10, 2, 'all'],
    [10, 3, 10, 3, 'stream'],
    [10, 0, 10, 0, 'all'],
    [0, 1, 5, 0, null],
  ] as const)(
    'of %i in all and %i per stream, with %i and %i viewers there: the reached limit is %s',
    (maxViewers, maxViewersPerStream, all, stream, limit) =>
      expect(reachedLimit({ maxViewers, maxViewersPerStream }, { all, stream })).toBe(limit),
  );

  it('leave no room for another stream when the buffers need all memory, except that of streams without viewers', async () => {
    const { registry, selector, engines, clock } = makeSessions(2, new FakeClock(), {}, undefined, 6 * 2 ** 20);
    const rejected: string[] = [];
    registry.events.subscribe((event) => event.type === 'viewer_rejected' && rejected.push(event.limit));
    const viewers = [watch(registry.subscribe(byId()))];
    await clock.advanceAndSettle(600);
    expect(() => registry.subscribe(byId('c'.repeat(40)))).toThrow(new MemoryFullError('another stream', 1, 6 * 2 ** 20));
    viewers.push(watch(registry.subscribe(byId())));
    await settle();
    expect([viewers[1].outcome, rejected, selector.requests.length]).toEqual(['playing', ['memory'], 1]);
    for (const { leave } of viewers) leave();
    expect(registry.sessions().map(({ state }) => state)).toEqual(['lingering']);
    engines[0].infohash = 'd'.repeat(40);
    const next = watch(registry.subscribe(byId('c'.repeat(40))));
    await clock.advanceAndSettle(600);
    expect(next.outcome).toBe('playing');
  });

  it('reject one viewer too many, for a stream and in all, and start nothing for it', async () => {
    const { registry, selector, engines, clock } = makeSessions(2, new FakeClock(), {
      maxViewers: 3,
      maxViewersPerStream: 2,
    });
    const rejected: string[] = [];
    registry.events.subscribe((event) => event.type === 'viewer_rejected' && rejected.push(event.limit));
    const [first] = [watch(registry.subscribe(byId())), watch(registry.subscribe(byId()))];
    await clock.advanceAndSettle(600);
    expect(() => registry.subscribe(byId())).toThrow(new TooManyViewersError('stream', 2));
    selector.engines.reverse();
    engines[1].infohash = 'd'.repeat(40);
    registry.subscribe(byId('c'.repeat(40)));
    expect(() => registry.subscribe(byId('e'.repeat(40)))).toThrow(new TooManyViewersError('all', 3));
    expect(rejected).toEqual(['stream', 'all']);
    await settle();
    expect(selector.requests).toHaveLength(2);
    first.leave();
    watch(registry.subscribe(byId()));
    expect(registry.sessions().map(({ viewerCount }) => viewerCount)).toEqual([2, 1]);
  });
});

describe('draining viewers at shutdown', () => {
  it('existing viewers keep watching, new ones are rejected, and the wait ends when the last viewer has left', async () => {
    const { registry, engines, clock } = makeSessions();
    const viewer = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(600);
    let drained = false;
    void registry.drain(60_000).then(() => (drained = true));
    await clock.advanceAndSettle(1000);
    engines[0].mediaStreams[0].write(packets());
    await clock.advanceAndSettle(1000);
    expect([drained, viewer.sink.ended, registry.rejecting]).toEqual([false, null, 'shutting down']);
    expect(() => registry.subscribe(byId())).toThrow(ShuttingDownError);
    viewer.leave();
    await settle();
    expect(drained).toBe(true);
    expect(registry.sessions()).toHaveLength(0);
    expect(engines[0].stops).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('the wait ends at its limit', async () => {
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

  it('a lingering session ends at once, and without viewers there is no wait', async () => {
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
  it('ends its viewers cleanly, rejects new ones, and stops every engine session', async () => {
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

  it('waits only for a limited time for an engine that never answers its start', async () => {
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
