import { SILENT_LOG } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { SyntheticStream } from '../../../../../test/doubles/proxy/broadcast.fixture.js';
import { FakeClock, settle } from '../../../../../test/doubles/fake-clock.js';
import type { StandbyOutcome } from '../session-events.js';
import { StandbyEngine } from './standby-engine.js';
import {
  CONTENT_ID,
  FakeEngine,
  FakeSelector,
  LINGER_MS,
  Pending,
  byId,
  makeSessions,
  watch,
} from '../../../../../test/doubles/proxy/sessions.fixture.js';

/** At 25 frames a second and below 1.5 Mb/s: a silence of 10 s is a loss, after 5 s a standby engine is leased. */
const STREAM = new SyntheticStream().frames(600);
const FRAME = STREAM.length / 600;
const frames = (from: number, to: number): Buffer => STREAM.subarray(Math.round(from * FRAME), Math.round(to * FRAME));

/** A stream that has played four seconds from the first engine. */
async function playing(engineCount = 2) {
  const made = makeSessions(engineCount);
  for (const engine of made.engines) engine.media = 'silent';
  const outcomes: StandbyOutcome[] = [];
  made.registry.events.subscribe((event) => event.type === 'standby_finished' && outcomes.push(event.outcome));
  const viewer = watch(made.registry.subscribe(byId()));
  await settle();
  for (let at = 0; at < 100; at += 10) {
    made.engines[0].mediaStreams[0].write(frames(at, at + 10));
    await made.clock.advanceAndSettle(400);
  }
  const end = async (): Promise<void> => {
    await made.registry.shutdown(1000);
    expect([made.registry.sessions().length, made.selector.held, made.clock.pending]).toEqual([0, 0, 0]);
  };
  return { ...made, viewer, outcomes, end, session: made.registry.sessions()[0] };
}

describe('a source that falls silent', () => {
  it('gets a standby engine at half of the silence that is a loss; the standby engine gets no requests', async () => {
    const { clock, selector, engines, session, end } = await playing();
    await clock.advanceAndSettle(4000);
    expect(selector.requests).toHaveLength(1);
    await clock.advanceAndSettle(1500);
    expect(selector.requests[1]).toMatchObject({ purpose: 'reserve', exclude: ['engine-1'] });
    expect(session.snapshot()).toMatchObject({ state: 'playing', standbyEngine: 'engine-2', engine: { engineId: 'engine-1' } });
    expect(engines[1].starts).toHaveLength(0);
    await end();
  });

  it('and delivers again: the standby engine is released, and another one is leased in the next silence', async () => {
    const { clock, selector, engines, session, outcomes, end } = await playing();
    await clock.advanceAndSettle(5500);
    engines[0].mediaStreams[0].write(frames(100, 150));
    await settle();
    expect(session.snapshot().standbyEngine).toBeNull();
    expect(selector.released).toEqual(['engine-2']);
    await clock.advanceAndSettle(15_500);
    expect(outcomes).toEqual(['returned', 'used']);
    await end();
  });

  it('and stays silent: the standby engine continues the stream, without another lease request', async () => {
    const { clock, selector, engines, session, outcomes, end } = await playing();
    await clock.advanceAndSettle(10_500);
    expect(session.state).toBe('failing_over');
    expect(outcomes).toEqual(['used']);
    expect(selector.given).toEqual(['engine-1', 'engine-2']);
    expect(engines[1].starts).toHaveLength(1);
    engines[1].mediaStreams[0].write(frames(50, 200));
    await settle();
    expect(session.snapshot()).toMatchObject({ state: 'playing', failovers: 1, standbyEngine: null });
    await end();
  });

  it('and breaks: the standby engine continues the stream at once', async () => {
    const { clock, engines, session, outcomes, end } = await playing();
    await clock.advanceAndSettle(6000);
    engines[0].mediaStreams[0].destroy(new Error('reset'));
    await settle();
    expect([outcomes, session.state, engines[1].starts.length]).toEqual([['used'], 'failing_over', 1]);
    await end();
  });

  it('releases its standby engine for another stream that finds no engine', async () => {
    const { clock, registry, selector, session, outcomes, end } = await playing();
    await clock.advanceAndSettle(5500);
    expect(session.snapshot().standbyEngine).toBe('engine-2');
    expect(registry.freeEngine()).toBe(true);
    await settle();
    expect([selector.released, outcomes]).toEqual([['engine-2'], ['preempted']]);
    expect(registry.freeEngine()).toBe(false);
    await end();
  });

  it('does not end a lingering stream to get a standby engine', async () => {
    const { clock, selector, end } = await playing();
    await clock.advanceAndSettle(5500);
    expect(selector.requests[1].onNoneFree()).toBe(false);
    await end();
  });

  it('and has no viewers gets no standby engine', async () => {
    const { clock, viewer, selector, end } = await playing();
    viewer.leave();
    await clock.advanceAndSettle(LINGER_MS - 100);
    expect(selector.requests).toHaveLength(1);
    await end();
  });

  it('and loses its last viewer: the standby engine is released', async () => {
    const { clock, viewer, session, outcomes, end } = await playing();
    await clock.advanceAndSettle(5500);
    viewer.leave();
    expect([session.state, session.snapshot().standbyEngine, outcomes]).toEqual(['lingering', null, ['returned']]);
    await end();
  });

  it('while no engine is free: the request ends with the silence, or becomes a failover', async () => {
    const { clock, selector, engines, session, outcomes, end } = await playing();
    selector.hold = new Pending();
    await clock.advanceAndSettle(5500);
    engines[0].mediaStreams[0].write(frames(100, 150));
    await settle();
    expect([selector.requests[1].signal.aborted, outcomes]).toEqual([true, ['none']]);
    await clock.advanceAndSettle(15_500);
    expect(session.state).toBe('failing_over');
    expect(selector.requests.slice(2).map(({ purpose, signal }) => [purpose, signal.aborted])).toEqual([
      ['reserve', true],
      ['failover', false],
    ]);
    await end();
  });
});

describe('a standby engine that is leased when it is no longer needed', () => {
  it('is released', async () => {
    const selector = new FakeSelector([new FakeEngine({ host: 'engine-1', port: 6878 })]);
    const late = new Pending<void>();
    const select = selector.select.bind(selector);
    selector.select = async (request) => {
      await late.promise;
      return select(request);
    };
    const standby = new StandbyEngine({ selector, clock: new FakeClock(), emit: () => undefined }, SILENT_LOG);
    const content = { keyType: 'content_id' as const, key: CONTENT_ID, infohash: null };
    standby.lease({ streamId: 's', content, exclude: [], waitMs: 1000 });
    expect(standby.take()).toBeNull();
    late.resolve();
    await standby.idle;
    expect([selector.given.length, selector.held, standby.engineId]).toEqual([1, 0, null]);
  });
});
