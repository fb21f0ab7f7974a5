import { describe, expect, it } from 'vitest';
import { settle } from '../../../../../test/doubles/fake-clock.js';
import { CONTENT_ID, LIMITS, byId, byInfohash, makeSessions, watch } from '../../../../../test/doubles/proxy/sessions.fixture.js';

describe('an engine that plays several streams', () => {
  const OTHER = 'c'.repeat(40);

  it.each([
    ['plays', byInfohash(), byId()],
    ['plays', byId(), byInfohash()],
    ['waits', byInfohash(), byId()],
    ['waits', byId(), byInfohash()],
  ] as const)('is never asked for one content under both of its names: the first start %s', async (start, first, second) => {
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

  it('is asked for the infohash of a further content before it starts it, and no other engine is', async () => {
    const { registry, engines, clock } = makeSessions(2);
    engines[0].start = 'waits';
    engines[0].silentLookups.add(OTHER);
    watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(100);
    expect(engines[0].lookups).toEqual([]);
    watch(registry.subscribe(byId(OTHER)));
    await clock.advanceAndSettle(100);
    expect(engines.map(({ lookups }) => lookups)).toEqual([[OTHER, CONTENT_ID], []]);
    expect(engines[0].starts).toHaveLength(1);
  });

  it('starts twelve contents side by side when it needs 2 s for each reply', async () => {
    const { registry, engines, clock } = makeSessions(1);
    engines[0].start = 'waits';
    const ids = Array.from({ length: 12 }, (_, index) => index.toString(16).padStart(40, '0'));
    for (const id of ids) engines[0].infohashes.set(id, `${id.slice(1)}f`);
    const viewers = ids.map((id) => watch(registry.subscribe(byId(id))));
    await clock.advanceAndSettle(2000);
    ids.forEach((_id, index) => engines[0].answer(index));
    await clock.advanceAndSettle(1000);
    expect(viewers.map(({ outcome }) => outcome)).toEqual(ids.map(() => 'playing'));
  });

  it.each([
    ['start', 0],
    ['start and lookup', 2000],
  ])('does not delay another content by a %s that it never answers for more than %i ms', async (what, delayMs) => {
    const { registry, engines, clock } = makeSessions(1);
    engines[0].unanswered.add(CONTENT_ID);
    if (what !== 'start') engines[0].silentLookups.add(CONTENT_ID);
    engines[0].infohashes.set(OTHER, 'd'.repeat(40));
    const silent = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(1500);
    const good = watch(registry.subscribe(byId(OTHER)));
    await clock.advanceAndSettle(delayMs + 100);
    expect([silent.outcome, good.outcome]).toEqual(['waiting', 'playing']);
  });

  it('never has two variants of one content: the second one gets another engine', async () => {
    const { registry, engines, clock } = makeSessions(2);
    const one = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(100);
    const other = watch(registry.subscribe(byInfohash(undefined, { _idx: '1' })));
    await clock.advanceAndSettle(600);
    expect([one.outcome, other.outcome]).toEqual(['playing', 'playing']);
    expect(engines.map(({ starts }) => starts.length)).toEqual([1, 1]);
  });

  it('is asked to start a content again only when the stop of its earlier session, under another name, is over', async () => {
    const { registry, engines, clock } = makeSessions(1);
    const [engine] = engines;
    engine.start = 'waits';
    const first = watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(100);
    void registry.sessions()[0].stop('viewers-left', 'test');
    const again = watch(registry.subscribe(byInfohash()));
    await clock.advanceAndSettle(3000);
    expect([first.outcome, engine.starts.length]).toEqual(['failed', 1]);
    engine.answer(0);
    await settle();
    expect(engine.stops).toHaveLength(1);
    engine.answer(1);
    await clock.advanceAndSettle(600);
    expect(again.outcome).toBe('playing');
    expect(engine.stops).toHaveLength(1);
  });

  it('that does not stop a content in time is named as the reason, and was not asked to start it', async () => {
    const { registry, engines, clock } = makeSessions(1);
    engines[0].start = 'waits';
    watch(registry.subscribe(byId()));
    await clock.advanceAndSettle(100);
    void registry.sessions()[0].stop('viewers-left', 'test');
    const again = watch(registry.subscribe(byInfohash()));
    await clock.advanceAndSettle(LIMITS.noResponseTimeoutMs);
    expect(again.error).toMatchObject({
      code: 'no_engine',
      reason: `not asked: it had not stopped the same content within ${LIMITS.noResponseTimeoutMs} ms`,
    });
    expect(engines[0].starts).toHaveLength(1);
  });
});
