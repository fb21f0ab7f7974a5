import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../../../../test/doubles/fake-clock.js';
import type { ViewerSubscription } from '../viewer-subscription.js';
import { Alternatives, DEAD_MS } from './alternatives.js';
import type { RequestedContent } from '../content-key.js';
import { CONTENT_ID, LINGER_MS, byId, makeSessions, watch } from '../../../../../test/doubles/proxy/sessions.fixture.js';

const OTHER_ID = 'e'.repeat(40);
const PATIENCE_MS = 15_000;

describe('a channel with more than one name', () => {
  function channel() {
    const sessions = makeSessions(2, new FakeClock(), { emptyTimeoutMs: 1000 });
    const alternatives = new Alternatives(sessions.registry, sessions.clock, PATIENCE_MS);
    /** A viewer that asks for the first name and has the second one in hand. */
    const come = (contents: readonly RequestedContent[] = [byId(), byId(OTHER_ID)]) => {
      let stay: ViewerSubscription | null = null;
      const viewer = { plays: null as string | null, error: null as Error | null, leave: () => stay?.leave() };
      alternatives
        .subscribe(contents, (next) => (stay = next))
        .then(
          (admission) => (viewer.plays = sessions.registry.sessions().find(({ id }) => id === admission.streamId)!.content.selector.value),
          (error: Error) => (viewer.error = error),
        );
      return viewer;
    };
    const die = (id: string) => sessions.engines.forEach(({ refused }) => refused.add(id));
    return { ...sessions, alternatives, come, die };
  }

  it('plays by its first name, and the others cost nothing', async () => {
    const { come, selector, clock } = channel();
    const viewer = come();
    await clock.advanceAndSettle(600);
    expect(viewer.plays).toBe(CONTENT_ID);
    expect(selector.requests).toHaveLength(1);
  });

  it('plays by the next one when the content is refused, in the session of those who ask for that', async () => {
    const { come, die, registry, clock } = channel();
    die(CONTENT_ID);
    const viewer = come();
    await clock.advanceAndSettle(600);
    watch(registry.subscribe(byId(OTHER_ID)));
    expect(viewer.plays).toBe(OTHER_ID);
    expect(registry.sessions().map(({ viewerCount }) => viewerCount)).toEqual([2]);
  });

  it('does not wait for a silent content as long as one without another name would be waited for, and gives its engine back', async () => {
    const { come, engines, selector, registry, clock } = channel();
    for (const { unanswered } of engines) unanswered.add(CONTENT_ID);
    const viewer = come();
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

  it('what was found dead is the last choice for a while', async () => {
    const { come, die, engines, clock } = channel();
    die(CONTENT_ID);
    come().leave();
    const first = come();
    await clock.advanceAndSettle(600);
    const starts = () => engines.flatMap((engine) => engine.starts).filter(({ selector }) => selector.value === CONTENT_ID).length;
    const asked = starts();
    const second = come();
    await settle();
    expect([first.plays, second.plays, starts()]).toEqual([OTHER_ID, OTHER_ID, asked]);
    first.leave();
    second.leave();
    await clock.advanceAndSettle(DEAD_MS + LINGER_MS);
    engines.forEach(({ refused }) => refused.clear());
    const third = come();
    await clock.advanceAndSettle(600);
    expect(third.plays).toBe(CONTENT_ID);
  });

  it('a stream that was lost for good sends those who come back to the next name', async () => {
    const { come, die, engines, registry, clock } = channel();
    const viewer = come();
    await clock.advanceAndSettle(600);
    die(CONTENT_ID);
    engines[0].mediaStreams[0].end();
    await clock.advanceAndSettle(5000);
    expect(registry.find(byId())).toBeNull();
    const starts = engines.flatMap((engine) => engine.starts).length;
    const back = come();
    await clock.advanceAndSettle(600);
    expect([viewer.plays, back.plays]).toEqual([CONTENT_ID, OTHER_ID]);
    expect(engines.flatMap((engine) => engine.starts)).toHaveLength(starts + 1);
  });

  it('says what the last one failed with when all are dead, and asks for no other one where only an engine is wanting', async () => {
    const { come, die, selector, clock } = channel();
    die(CONTENT_ID);
    die(OTHER_ID);
    const dead = come();
    await clock.advanceAndSettle(600);
    expect(dead.error).toMatchObject({ code: 'engines_refused' });
    selector.engines.length = 0;
    const requests = selector.requests.length;
    const wanting = come([byId('d'.repeat(40)), byId('f'.repeat(40))]);
    await clock.advanceAndSettle(600);
    expect(wanting.error).toMatchObject({ code: 'no_engine' });
    expect(selector.requests).toHaveLength(requests + 1);
  });

  it('a viewer that leaves while it waits leaves nothing', async () => {
    const { come, engines, registry, clock } = channel();
    for (const engine of engines) engine.start = 'waits';
    const viewer = come();
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
