import { SILENT_LOG } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { expectNothingLeft, frames, playing } from '../../../../../test/doubles/proxy/playing-stream.fixture.js';
import { FakeClock, settle } from '../../../../../test/doubles/fake-clock.js';
import { StandbyEngine } from './standby-engine.js';
import { CONTENT_ID, FakeEngine, FakeSelector, LINGER_MS, Pending } from '../../../../../test/doubles/proxy/sessions.fixture.js';

// The stream is below 1.5 Mb/s: a silence of 10 s is a loss, and after 5 s a standby engine is leased.
describe('a source that falls silent', () => {
  it('gets a standby engine at half of the silence that is a loss; the standby engine gets no requests', async () => {
    const scene = await playing();
    const { clock, selector, engines, session } = scene;
    await clock.advanceAndSettle(4000);
    expect(selector.requests).toHaveLength(1);
    await clock.advanceAndSettle(1500);
    expect(selector.requests[1]).toMatchObject({ purpose: 'reserve', exclude: ['engine-1'] });
    expect(session.snapshot()).toMatchObject({ state: 'playing', standbyEngine: 'engine-2', engine: { engineId: 'engine-1' } });
    expect(engines[1].starts).toHaveLength(0);
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('and delivers again: the standby engine is released, and another one is leased in the next silence', async () => {
    const scene = await playing();
    const { clock, selector, engines, session, standbys } = scene;
    await clock.advanceAndSettle(5500);
    engines[0].mediaStreams[0].write(frames(100, 150));
    await settle();
    expect(session.snapshot().standbyEngine).toBeNull();
    expect(selector.released).toEqual(['engine-2']);
    await clock.advanceAndSettle(15_500);
    expect(standbys).toEqual(['returned', 'used']);
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('and stays silent: the standby engine continues the stream, without another lease request', async () => {
    const scene = await playing();
    const { clock, selector, engines, session, standbys } = scene;
    await clock.advanceAndSettle(10_500);
    expect(session.state).toBe('failing_over');
    expect(standbys).toEqual(['used']);
    expect(selector.given).toEqual(['engine-1', 'engine-2']);
    expect(engines[1].starts).toHaveLength(1);
    engines[1].mediaStreams[0].write(frames(50, 200));
    await settle();
    expect(session.snapshot()).toMatchObject({ state: 'playing', failovers: 1, standbyEngine: null });
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('and breaks: the standby engine continues the stream at once', async () => {
    const scene = await playing();
    const { clock, engines, session, standbys } = scene;
    await clock.advanceAndSettle(6000);
    engines[0].mediaStreams[0].destroy(new Error('reset'));
    await settle();
    expect([standbys, session.state, engines[1].starts.length]).toEqual([['used'], 'failing_over', 1]);
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('releases its standby engine for another stream that finds no engine', async () => {
    const scene = await playing();
    const { clock, registry, selector, session, standbys } = scene;
    await clock.advanceAndSettle(5500);
    expect(session.snapshot().standbyEngine).toBe('engine-2');
    expect(registry.freeEngine()).toBe(true);
    await settle();
    expect([selector.released, standbys]).toEqual([['engine-2'], ['preempted']]);
    expect(registry.freeEngine()).toBe(false);
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('does not end a lingering stream to get a standby engine', async () => {
    const scene = await playing();
    const { clock, selector } = scene;
    await clock.advanceAndSettle(5500);
    expect(selector.requests[1].onNoneFree()).toBe(false);
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('and has no viewers gets no standby engine', async () => {
    const scene = await playing();
    const { clock, viewer, selector } = scene;
    viewer.leave();
    await clock.advanceAndSettle(LINGER_MS - 100);
    expect(selector.requests).toHaveLength(1);
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('and loses its last viewer: the standby engine is released', async () => {
    const scene = await playing();
    const { clock, viewer, session, standbys } = scene;
    await clock.advanceAndSettle(5500);
    viewer.leave();
    expect([session.state, session.snapshot().standbyEngine, standbys]).toEqual(['lingering', null, ['returned']]);
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('while no engine is free: the request ends with the silence, or becomes a failover', async () => {
    const scene = await playing();
    const { clock, selector, engines, session, standbys } = scene;
    selector.hold = new Pending();
    await clock.advanceAndSettle(5500);
    engines[0].mediaStreams[0].write(frames(100, 150));
    await settle();
    expect([selector.requests[1].signal.aborted, standbys]).toEqual([true, ['none']]);
    await clock.advanceAndSettle(15_500);
    expect(session.state).toBe('failing_over');
    expect(selector.requests.slice(2).map(({ purpose, signal }) => [purpose, signal.aborted])).toEqual([
      ['reserve', true],
      ['failover', false],
    ]);
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
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
