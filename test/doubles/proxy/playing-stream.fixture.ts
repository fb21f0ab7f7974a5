/** A stream with one viewer that has played four seconds from the first engine: the start of the failover tests. */
import { expect } from 'vitest';
import { SyntheticStream } from './broadcast.fixture.js';
import { type FakeEngine, byId, makeSessions, watch } from './sessions.fixture.js';
import type { Log } from '@acexy/service-kit';
import { FakeClock, settle } from '../fake-clock.js';
import type { FailoverResult, StandbyOutcome } from '../../../apps/proxy/src/sessions/session-events.js';

/** 80 s of a stream below 1.5 Mb/s, 40 ms per frame; every engine delivers the same. */
export const STREAM = new SyntheticStream().frames(2000);
export const FRAME = STREAM.length / 2000;

export function frames(from: number, to: number): Buffer {
  return STREAM.subarray(Math.round(from * FRAME), Math.round(to * FRAME));
}

export async function playing(engineCount = 2, log?: Log) {
  const made = makeSessions(engineCount, new FakeClock(), {}, log);
  for (const engine of made.engines) engine.media = 'silent';
  const failovers: FailoverResult[] = [];
  const standbys: StandbyOutcome[] = [];
  const ended: string[] = [];
  made.registry.events.subscribe((event) => {
    if (event.type === 'failover_finished') failovers.push({ cause: event.cause, outcome: event.outcome, gapMs: event.gapMs });
    if (event.type === 'standby_finished') standbys.push(event.outcome);
    if (event.type === 'ended') ended.push(`${event.end.cause}: ${event.end.reason}`);
  });
  const viewer = watch(made.registry.subscribe(byId()));
  await settle();
  await feed(made, made.engines[0], 0, 100);
  return { ...made, viewer, failovers, standbys, ended, session: made.registry.sessions()[0] };
}

/** Frames in real time, or all at once. */
export async function feed({ clock }: { clock: FakeClock }, engine: FakeEngine, from: number, to: number, msPerFrame = 40) {
  const media = engine.mediaStreams[engine.mediaStreams.length - 1];
  for (let at = from; at < to; at += 10) {
    media.write(frames(at, Math.min(to, at + 10)));
    await clock.advanceAndSettle(10 * msPerFrame);
  }
}

/** Nothing is left of any stream: no session, lease, timer or engine session. */
export function expectNothingLeft(
  { registry, selector, engines, clock }: ReturnType<typeof makeSessions<FakeClock>>,
  alive = engines,
): void {
  expect(registry.sessions()).toHaveLength(0);
  expect(selector.held).toBe(0);
  expect(clock.pending).toBe(0);
  for (const engine of alive) expect(engine.running).toBe(0);
}
