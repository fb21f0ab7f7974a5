import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../../../../test/doubles/fake-clock.js';
import type { ViewerSubscription } from '../viewer-subscription.js';
import { Alternatives, DEAD_MS } from './alternatives.js';
import type { RequestedContent } from '../../http/content-key.js';
import { CONTENT_ID, LINGER_MS, byId, makeSessions, watch } from '../../../../../test/doubles/proxy/sessions.fixture.js';

const OTHER_ID = 'e'.repeat(40);
const PATIENCE_MS = 15_000;

describe('a channel with several contents', () => {
  function channel() {
    const sessions = makeSessions(2, new FakeClock(), { emptyTimeoutMs: 1000 });
    const alternatives = new Alternatives(sessions.registry, sessions.clock, PATIENCE_MS);
    /** A viewer that requests the first content and names the second one as alternative. */
    const join = (contents: readonly RequestedContent[] = [byId(), byId(OTHER_ID)]) => {
      let subscription: ViewerSubscription | null = null;
      const viewer = { plays: null as string | null, error: null as Error | null, leave: () => subscription?.leave() };
      alternatives
        .subscribe(contents, (next) => (subscription = next))
        .then(
          (last) => (viewer.plays = sessions.registry.sessions().find(({ id }) => id === last.streamId)!.content.selector.value),
          (error: Error) => (viewer.error = error),
        );
      return viewer;
    };
    const kill = (id: string) => sessions.engines.forEach(({ refused }) => refused.add(id));
    return { ...sessions, alternatives, join, kill };
  }

  it('plays the first content, and the others cost nothing', async () => {
    const { join, selector, clock } = channel();
    const viewer = join();
    await clock.advanceAndSettle(600);
    expect(viewer.plays).toBe(CONTENT_ID);
    expect(selector.requests).toHaveLength(1);
  });

  it('plays the next content when the first is refused, in the same session as viewers who request that one', async () => {
    const { join, kill, registry, clock } = channel();
    kill(CONTENT_ID);
    const viewer = join();
    await clock.advanceAndSettle(600);
    watch(registry.subscribe(byId(OTHER_ID)));
    expect(viewer.plays).toBe(OTHER_ID);
    expect(registry.sessions().map(({ viewerCount }) => viewerCount)).toEqual([2]);
  });

  it('waits for a silent content for a shorter time than without an alternative, and releases its engine', async () => {
    const { join, engines, selector, registry, clock } = channel();
    for (const { unanswered } of engines) unanswered.add(CONTENT_ID);
    const viewer = join();
    await clock.advanceAndSettle(PATIENCE_MS - 100);
    expect(viewer.plays).toBeNull();
    selector.engines.reverse();
    await clock.advanceAndSettle(700);
    expect(viewer.plays).toBe(OTHER_ID);
    engines[0].answer(0);
    await settle();
    expect(engines.map(({ running }) => running)).toEqual([0, 1]);
    expect(registry.sessions()).toHaveLength(1);
  });

  it('tries a dead content last for a while', async () => {
    const { join, kill, engines, clock } = channel();
    kill(CONTENT_ID);
    join().leave();
    const first = join();
    await clock.advanceAndSettle(600);
    const starts = () => engines.flatMap((engine) => engine.starts).filter(({ selector }) => selector.value === CONTENT_ID).length;
    const asked = starts();
    const second = join();
    await settle();
    expect([first.plays, second.plays, starts()]).toEqual([OTHER_ID, OTHER_ID, asked]);
    first.leave();
    second.leave();
    await clock.advanceAndSettle(DEAD_MS + LINGER_MS);
    engines.forEach(({ refused }) => refused.clear());
    const third = join();
    await clock.advanceAndSettle(600);
    expect(third.plays).toBe(CONTENT_ID);
  });

  it('viewers who return after the stream was lost get the next content', async () => {
    const { join, kill, engines, registry, clock } = channel();
    const viewer = join();
    await clock.advanceAndSettle(600);
    kill(CONTENT_ID);
    engines[0].mediaStreams[0].end();
    await clock.advanceAndSettle(5000);
    expect(registry.find(byId())).toBeNull();
    const starts = engines.flatMap((engine) => engine.starts).length;
    const back = join();
    await clock.advanceAndSettle(600);
    expect([viewer.plays, back.plays]).toEqual([CONTENT_ID, OTHER_ID]);
    expect(engines.flatMap((engine) => engine.starts)).toHaveLength(starts + 1);
  });

  it('fails with the error of the last content when all are dead, and tries no other content when only engines are missing', async () => {
    const { join, kill, selector, clock } = channel();
    kill(CONTENT_ID);
    kill(OTHER_ID);
    const dead = join();
    await clock.advanceAndSettle(600);
    expect(dead.error).toMatchObject({ code: 'engines_refused' });
    selector.engines.length = 0;
    const requests = selector.requests.length;
    const noEngine = join([byId('d'.repeat(40)), byId('f'.repeat(40))]);
    await clock.advanceAndSettle(600);
    expect(noEngine.error).toMatchObject({ code: 'no_engine' });
    expect(selector.requests).toHaveLength(requests + 1);
  });

  it('a viewer that leaves while it waits leaves nothing behind', async () => {
    const { join, engines, registry, clock } = channel();
    for (const engine of engines) engine.start = 'waits';
    const viewer = join();
    await clock.advanceAndSettle(100);
    viewer.leave();
    await settle();
    expect(viewer.error).toMatchObject({ code: 'viewer_left' });
    expect(registry.sessions().every(({ viewerCount }) => viewerCount === 0)).toBe(true);
    engines.forEach((engine) => engine.replies.length > 0 && engine.answer(0));
    await clock.advanceAndSettle(LINGER_MS);
    expect([registry.sessions().length, clock.pending]).toEqual([0, 0]);
  });
});
