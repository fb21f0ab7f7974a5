import { EngineRefusedError, EngineUnreachableError } from '@acexy/engine-client';
import { buildPmt, continuityCounter, packetizeSection, parsePmt, pidOf } from '@acexy/mpegts';
import { describe, expect, it, vi } from 'vitest';
import { checkTs } from '../../../../../test/support/ts-checker.js';
import { SyntheticStream, PMT_PID } from '../../../../../test/doubles/proxy/broadcast.fixture.js';
import { withoutNulls } from '../../../../../test/doubles/proxy/splice.fixture.js';
import { settle } from '../../../../../test/doubles/fake-clock.js';
import { EMPTY_TIMEOUT_MS, FakeEngine, LINGER_MS, Pending, byId, watch } from '../../../../../test/doubles/proxy/sessions.fixture.js';
import { FRAME, STREAM, expectNothingLeft, feed, frames, playing } from '../../../../../test/doubles/proxy/playing-stream.fixture.js';

/** Sets another stream type for the video in every PMT. */
function withCodec(bytes: Buffer, streamType: number): Buffer {
  const copy = Buffer.from(bytes);
  for (let at = 0; at < copy.length; at += 188) {
    if (pidOf(copy, at) !== PMT_PID) continue;
    const pmt = parsePmt(copy.subarray(at + 5, at + 8 + (copy.readUInt16BE(at + 6) & 0xfff)))!;
    const streams = pmt.streams.map((stream) => (stream.streamType === 0x1b ? { ...stream, streamType } : stream));
    packetizeSection(buildPmt({ ...pmt, streams }), PMT_PID, continuityCounter(copy, at)).copy(copy, at);
  }
  return copy;
}

/** The viewer got the stream from its beginning, every byte once. Null packets are ignored: they only keep the connection alive. */
function expectEveryByteOnce({ sink }: ReturnType<typeof watch>, leastFrames: number): void {
  const body = withoutNulls(Buffer.concat(sink.chunks));
  expect(checkTs(body).faults).toEqual([]);
  expect(body.equals(STREAM.subarray(0, body.length))).toBe(true);
  expect(body.length).toBeGreaterThan(leastFrames * FRAME);
}

describe('an engine is lost while it plays', () => {
  it.each([
    ['ends the stream', (engine: FakeEngine) => void engine.mediaStreams[0].end()],
    ['breaks the connection', (engine: FakeEngine) => void engine.mediaStreams[0].destroy(new Error('reset'))],
  ])('when it %s the viewer gets the very next packet from another one, and the old session is stopped', async (_what, lose) => {
    const scene = await playing();
    const { engines, session, viewer, failovers, clock, registry } = scene;
    lose(engines[0]);
    await settle();
    expect(session.snapshot()).toMatchObject({ state: 'failing_over', failovers: 0 });
    expect(scene.selector.requests[1]).toMatchObject({ purpose: 'failover', exclude: ['engine-1'] });
    expect(engines[0].stops).toHaveLength(1);
    await feed(scene, engines[1], 25, 200, 10);
    expect(session.snapshot()).toMatchObject({ state: 'playing', failovers: 1, engine: { engineId: 'engine-2' } });
    expect(failovers).toMatchObject([{ outcome: 'exact', gapMs: expect.any(Number) as number }]);
    viewer.leave();
    await clock.advanceAndSettle(LINGER_MS);
    expect(viewer.sink.ended).toBe('removed');
    expectEveryByteOnce(viewer, 170);
    expect(engines[1].starts[0].pid).not.toBe(engines[0].starts[0].pid);
    expectNothingLeft({ ...scene, registry });
  });

  it('a dead engine whose stop fails is released all the same', async () => {
    const scene = await playing();
    scene.engines[0].stopFails = new EngineUnreachableError('stop: ECONNREFUSED');
    scene.engines[0].mediaStreams[0].destroy(new Error('reset'));
    await settle();
    expect(scene.selector.released).toEqual(['engine-1']);
    await feed(scene, scene.engines[1], 25, 200, 10);
    expect(scene.session.state).toBe('playing');
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene, [scene.engines[1]]);
  });

  it('that delivers 20 s at once and then pauses for 20 s is not lost; when it stays silent, it is lost soon after its media has been played', async () => {
    const scene = await playing();
    const { engines, session, clock } = scene;
    for (const from of [100, 600, 1100]) {
      await feed(scene, engines[0], from, from + 500, 1);
      await clock.advanceAndSettle(19_500);
      expect([from, session.state]).toEqual([from, 'playing']);
    }
    expect(scene.failovers).toEqual([]);
    await clock.advanceAndSettle(3500);
    expect(session.state).toBe('failing_over');
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('a silence is a loss after 10 s at a low bitrate; the silent engine is kept until another one has taken over', async () => {
    const scene = await playing();
    const { engines, session, clock, viewer } = scene;
    await clock.advanceAndSettle(3900);
    await feed(scene, engines[0], 100, 110);
    await clock.advanceAndSettle(4000);
    expect(session.state).toBe('playing');
    await clock.advanceAndSettle(7000);
    expect(session.state).toBe('failing_over');
    expect(engines[0].stops).toHaveLength(0);
    await feed(scene, engines[1], 50, 200, 5);
    expect(session.state).toBe('playing');
    expect(engines[0].stops).toHaveLength(1);
    expect(viewer.sink.ended).toBeNull();
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('an engine that delivers again before another one is found continues the stream', async () => {
    const scene = await playing(1);
    const { engines, session, clock, failovers } = scene;
    await clock.advanceAndSettle(10_100);
    expect(session.state).toBe('failing_over');
    await feed(scene, engines[0], 100, 200, 10);
    expect(session.state).toBe('playing');
    expect(failovers).toMatchObject([{ cause: 'stall', outcome: 'recovered' }]);
    expect(engines[0].stops).toHaveLength(0);
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('the only engine, if it works, is tried again after a short pause', async () => {
    const scene = await playing(1);
    const { engines, session, clock } = scene;
    engines[0].mediaStreams[0].end();
    await clock.advanceAndSettle(2500);
    expect(engines[0].starts).toHaveLength(1);
    await clock.advanceAndSettle(2500);
    expect(engines[0].starts).toHaveLength(2);
    expect(engines[0].stops).toHaveLength(1);
    await feed(scene, engines[0], 50, 200, 10);
    expect(session.snapshot()).toMatchObject({ state: 'playing', failovers: 1 });
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('the only engine, if it breaks repeatedly, is tried again within seconds each time: viewers wait, and it may work by now', async () => {
    const scene = await playing(1);
    const { engines, clock, session, viewer } = scene;
    for (let losses = 1; losses <= 4; losses++) {
      engines[0].mediaStreams[engines[0].mediaStreams.length - 1].destroy(new Error('reset'));
      for (let waited = 0; engines[0].mediaStreams.length <= losses; waited += 100) {
        if (waited > 12_000) throw new Error(`not tried again within 12 s of loss ${losses}`);
        await clock.advanceAndSettle(100);
      }
      await feed(scene, engines[0], 100 * losses, 100 * (losses + 1), 10);
      expect(session.snapshot()).toMatchObject({ state: 'playing', failovers: losses });
    }
    expect(viewer.outcome).toBe('playing');
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('engines that refuse are skipped', async () => {
    const scene = await playing(4);
    const { engines, session, clock, selector } = scene;
    engines[1].start = new EngineRefusedError('start', 'failed to load content');
    engines[2].start = new EngineUnreachableError('start: ECONNREFUSED');
    engines[0].mediaStreams[0].end();
    await clock.advanceAndSettle(1000);
    expect(selector.requests.at(-1)?.exclude).toEqual(['engine-1', 'engine-2', 'engine-3']);
    await feed(scene, engines[3], 50, 200, 10);
    expect(session.state).toBe('playing');
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('an invalid answer of the orchestrator ends nothing: the request is repeated', async () => {
    const scene = await playing();
    const { engines, selector, session } = scene;
    vi.spyOn(selector, 'select').mockRejectedValueOnce(new TypeError('nonsense'));
    engines[0].mediaStreams[0].end();
    await scene.clock.advanceAndSettle(500);
    expect(engines[1].starts).toHaveLength(1);
    await feed(scene, engines[1], 50, 200, 10);
    expect(session.state).toBe('playing');
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('an engine that hangs is replaced by the next one', async () => {
    const scene = await playing(3);
    const { engines, selector, session, clock } = scene;
    engines[1].start = 'waits';
    selector.engines.shift();
    engines[0].mediaStreams[0].end();
    await clock.advanceAndSettle(25_000);
    expect(engines[2].starts).toHaveLength(1);
    await feed(scene, engines[2], 50, 200, 10);
    expect(session.snapshot()).toMatchObject({ state: 'playing', engine: { engineId: 'engine-3' } });
    engines[1].answer();
    await settle();
    expect(engines[1].stops).toHaveLength(1);
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('an engine that is drained while it is being tried is replaced by the next one at once', async () => {
    const scene = await playing(3);
    const { engines, selector, session, registry } = scene;
    engines[1].start = 'waits';
    selector.engines.shift();
    engines[0].mediaStreams[0].end();
    await settle();
    expect(engines[1].starts).toHaveLength(1);
    registry.leaveEngine({ container_id: 'engine-2', reason: 'its VPN is down', deadline: '2026-01-01T00:01:00.000Z' });
    await scene.clock.advanceAndSettle(300);
    expect(engines[2].starts).toHaveLength(1);
    await feed(scene, engines[2], 50, 200, 10);
    expect(session.snapshot()).toMatchObject({ state: 'playing', engine: { engineId: 'engine-3' } });
    engines[1].answer();
    await settle();
    await registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('two losses in a row: the second one, during the failover, costs only time', async () => {
    const scene = await playing(3);
    const { engines, session, clock, viewer } = scene;
    engines[0].mediaStreams[0].end();
    await settle();
    await feed(scene, engines[1], 10, 50, 10);
    expect(session.state).toBe('failing_over');
    engines[1].mediaStreams[0].destroy(new Error('reset'));
    await clock.advanceAndSettle(300);
    expect(engines[1].stops).toHaveLength(1);
    await feed(scene, engines[2], 50, 200, 10);
    expect(session.state).toBe('playing');
    expectEveryByteOnce(viewer, 170);
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('when no engine can take over in time, every viewer gets a clean end and the orchestrator the reason', async () => {
    const scene = await playing();
    const { engines, selector, clock, viewer, ended, failovers } = scene;
    const late = watch(scene.registry.subscribe(byId()));
    selector.engines.length = 0;
    engines[0].mediaStreams[0].end();
    await clock.advanceAndSettle(EMPTY_TIMEOUT_MS - 1000);
    expect([viewer.sink.ended, late.sink.ended]).toEqual([null, null]);
    await clock.advanceAndSettle(7000);
    expect([viewer.sink.cleanEnd, late.sink.cleanEnd]).toEqual([true, true]);
    expect(ended).toEqual([expect.stringContaining('source-lost: the engine ended the stream')]);
    expect(failovers).toMatchObject([{ cause: 'eof', outcome: 'given-up', gapMs: null }]);
    expect(selector.requests.length).toBeLessThan(25);
    expectNothingLeft(scene);
    const next = watch(scene.registry.subscribe(byId()));
    await settle();
    expect(next.outcome).toBe('failed');
  });

  it('when the content has another codec on the new engine, the viewers get a clean end', async () => {
    const scene = await playing();
    const { engines, viewer, failovers } = scene;
    engines[0].mediaStreams[0].end();
    await settle();
    engines[1].mediaStreams[0].write(withCodec(new SyntheticStream({ clockStart: 90_000_000 }).frames(300), 0x24));
    await scene.clock.advanceAndSettle(1000);
    expect(viewer.sink.cleanEnd).toBe(true);
    expect(failovers).toMatchObject([{ outcome: 'refused' }]);
    expectNothingLeft(scene);
  });
});

describe('while another engine is being searched', () => {
  it('viewers may join, and continue with the others', async () => {
    const scene = await playing();
    const { engines, registry } = scene;
    engines[0].mediaStreams[0].end();
    await settle();
    const late = watch(registry.subscribe(byId()));
    await settle();
    expect(late.outcome).toBe('playing');
    await feed(scene, engines[1], 50, 200, 10);
    expect(late.sink.bytes).toBeGreaterThan(90 * FRAME);
    expect(engines[0].starts.length + engines[1].starts.length).toBe(2);
    await registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it.each([
    ['chosen', (scene: Awaited<ReturnType<typeof playing>>) => void (scene.selector.hold = new Pending())],
    ['asked', (scene: Awaited<ReturnType<typeof playing>>) => void (scene.engines[1].start = 'waits')],
    ['opened', (scene: Awaited<ReturnType<typeof playing>>) => void (scene.engines[1].media = 'waits')],
    ['searched', () => undefined],
  ])('and the last viewer leaves, everything is stopped and released: the next engine is being %s', async (_phase, arrange) => {
    const scene = await playing();
    const { engines, clock, viewer } = scene;
    arrange(scene);
    engines[0].mediaStreams[0].end();
    await clock.advanceAndSettle(100);
    viewer.leave();
    await clock.advanceAndSettle(LINGER_MS);
    if (engines[1].replies.length > 0) engines[1].answer();
    await clock.advanceAndSettle(100);
    expectNothingLeft(scene);
  });
});

describe('a source that delivers bad data', () => {
  it('is replaced by another one while it plays', async () => {
    const scene = await playing();
    const { engines, session, selector, failovers, viewer } = scene;
    const damaged = Buffer.from(frames(100, 200));
    for (let at = 0; at < damaged.length; at += 50 * 188) damaged.fill(0xff, at, at + 188);
    for (let at = 0; at < 25; at += 5) {
      engines[0].mediaStreams[0].write(damaged.subarray(at * FRAME, (at + 5) * FRAME));
      await scene.clock.advanceAndSettle(200);
    }
    expect(session.state).toBe('playing');
    expect(selector.requests[1]).toMatchObject({ purpose: 'start', exclude: ['engine-1'] });
    await feed(scene, engines[1], 50, 250, 10);
    expect(session.snapshot()).toMatchObject({ state: 'playing', failovers: 1, engine: { engineId: 'engine-2' } });
    expect(failovers).toMatchObject([{ cause: 'corrupt', gapMs: null }]);
    expect(engines[0].stops).toHaveLength(1);
    expect(viewer.sink.ended).toBeNull();
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('is stopped at once when it repeats itself', async () => {
    const scene = await playing();
    const { engines, session } = scene;
    await feed(scene, engines[0], 0, 90);
    expect(session.state).toBe('failing_over');
    expect(engines[0].stops).toHaveLength(1);
    await feed(scene, engines[1], 50, 250, 10);
    expect(session.state).toBe('playing');
    await scene.registry.shutdown(1000);
    expectNothingLeft(scene);
  });
});

describe('the orchestrator drains an engine', () => {
  const order = { container_id: 'engine-1', reason: 'drain', deadline: '2026-01-01T00:01:00.000Z' };

  it('the stream moves while the old engine plays, and the old engine is then stopped', async () => {
    const scene = await playing();
    const { engines, session, registry, viewer, failovers } = scene;
    registry.leaveEngine(order);
    await settle();
    expect(session.snapshot()).toMatchObject({ state: 'playing', engine: { engineId: 'engine-1' } });
    for (let at = 100, behind = 40; behind < 200; at += 5, behind += 20) {
      if (engines[0].stops.length === 0) engines[0].mediaStreams[0].write(frames(at, at + 5));
      engines[1].mediaStreams[0].write(frames(behind, behind + 20));
      await scene.clock.advanceAndSettle(200);
      expect(session.state).toBe('playing');
    }
    expect(session.snapshot()).toMatchObject({ failovers: 1, engine: { engineId: 'engine-2' } });
    expect(engines[0].stops).toHaveLength(1);
    expect(failovers).toEqual([{ cause: 'drained', outcome: 'exact', gapMs: null }]);
    expectEveryByteOnce(viewer, 170);
    await registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('the engine dies before that: the move becomes a failover', async () => {
    const scene = await playing();
    const { engines, session, registry } = scene;
    registry.leaveEngine(order);
    await settle();
    engines[0].mediaStreams[0].destroy(new Error('reset'));
    await settle();
    expect(session.state).toBe('failing_over');
    await feed(scene, engines[1], 50, 200, 10);
    expect(session.snapshot()).toMatchObject({ state: 'playing', failovers: 1, engine: { engineId: 'engine-2' } });
    await registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('no other engine is free: the stream stays where it is', async () => {
    const scene = await playing(1);
    const { engines, session, registry, failovers } = scene;
    registry.leaveEngine(order);
    await feed(scene, engines[0], 100, 1900);
    expect(session.state).toBe('playing');
    expect(failovers).toEqual([{ cause: 'drained', outcome: 'given-up', gapMs: null }]);
    await registry.shutdown(1000);
    expectNothingLeft(scene);
  });

  it('that no stream uses: nothing happens', async () => {
    const scene = await playing();
    scene.registry.leaveEngine({ ...order, container_id: 'engine-7' });
    await settle();
    expect(scene.selector.requests).toHaveLength(1);
    await scene.registry.shutdown(1000);
  });
});
