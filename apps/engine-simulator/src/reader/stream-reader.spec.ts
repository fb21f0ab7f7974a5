import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Engine } from '../engine.js';
import { NO_PORTS, QUICK } from '../../../../test/doubles/simulated-engine.fixture.js';
import { type SimulatorSettings, settingsFromEnvironment } from '../faults/simulator-settings.js';
import { StreamReader } from './stream-reader.js';

const HIGH_WATER_MARK = 65_536;
const MEDIA_BYTES_PER_SECOND = 62_500;

/** A reply whose client reads everything or nothing. */
class FakeReply extends Writable {
  statusCode = 0;
  shouldKeepAlive = true;
  received = 0;
  readonly socket = { resetAndDestroy: () => this.destroy() };

  constructor(public reads: boolean) {
    super({ highWaterMark: HIGH_WATER_MARK });
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.received += bytes.length;
    if (this.reads) done();
  }

  writeHead(status: number): void {
    this.statusCode = status;
  }

  setHeader(): void {}
  removeHeader(): void {}
  flushHeaders(): void {}
}

function attach(reads: boolean, settings: Partial<SimulatorSettings> = {}) {
  const engine = new Engine(
    NO_PORTS,
    { ...settingsFromEnvironment({}), ...QUICK, ...settings },
    { log: () => undefined, exit: () => undefined },
  );
  const { sessions, contents } = engine.context;
  const { session, key } = sessions.open({ content: contents.byInfohash('ab'.repeat(20))!, kind: 'ts', pid: 'p' })!;
  const reply = new FakeReply(reads);
  const reader = new StreamReader(engine.context, session, key, reply as unknown as ServerResponse);
  reader.start();
  return { engine, session, reply, key };
}

describe('stream reader', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_700_000_000_000 }));
  afterEach(() => void vi.useRealTimers());

  it('gets the burst and then the live stream', () => {
    const { reply } = attach(true);
    vi.advanceTimersByTime(60_000);
    const seconds = reply.received / MEDIA_BYTES_PER_SECOND;
    expect(seconds).toBeGreaterThan(62);
    expect(seconds).toBeLessThan(67);
  });

  it('gets no headers of a content without peers, and nothing more when the peers are lost', () => {
    const { engine, reply, session } = attach(true, { peers: 0 });
    vi.advanceTimersByTime(5000);
    expect([reply.statusCode, reply.received]).toEqual([0, 0]);
    engine.context.faults.set('*', { peers: 3 });
    vi.advanceTimersByTime(5000);
    expect([reply.statusCode, reply.received > 0, session.stalledSince]).toEqual([200, true, null]);
    engine.context.faults.clear();
    const before = reply.received;
    vi.advanceTimersByTime(5000);
    expect([reply.received, session.stalledSince === null]).toEqual([before, false]);
  });

  it('gets at most one write beyond its socket buffer if it does not read, and expires', () => {
    const { engine, session } = attach(false);
    vi.advanceTimersByTime(59_000);
    engine.context.sessions.sweep();
    expect(session.state).toBe('active');
    expect(session.bytesSent).toBeLessThan(HIGH_WATER_MARK + 4000 * 188);
    vi.advanceTimersByTime(1500);
    engine.context.sessions.sweep();
    expect(session.state).toBe('expired');
  });

  it('keeps its session open while it reads', () => {
    const { engine, session } = attach(true);
    vi.advanceTimersByTime(600_000);
    engine.context.sessions.sweep();
    expect(session.state).toBe('active');
  });

  it('makes room for the next reader when it leaves', async () => {
    const { engine, session, reply, key } = attach(true);
    expect(session.readersOf(key)).toBe(1);
    reply.destroy();
    await vi.advanceTimersByTimeAsync(1);
    expect([session.readersOf(key), engine.context.metrics.readersOpen]).toEqual([0, 0]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('of a lost session gets nothing more, but stays connected', () => {
    const { engine, session, reply } = attach(true);
    vi.advanceTimersByTime(10_000);
    engine.context.sessions.end(session, 'lost');
    const { received } = reply;
    vi.advanceTimersByTime(10_000);
    expect([reply.received, reply.writableEnded]).toEqual([received, false]);
  });

  it('of a superseded session ends', () => {
    const { engine, session, reply } = attach(true);
    engine.context.sessions.end(session, 'superseded');
    expect(reply.writableEnded).toBe(true);
  });

  it('gets nothing while the engine hangs and catches up afterwards', () => {
    const { engine, reply } = attach(true);
    vi.advanceTimersByTime(10_000);
    engine.context.faults.set('*', { hangAll: true }, 5000);
    const { received } = reply;
    vi.advanceTimersByTime(4900);
    expect(reply.received).toBe(received);
    vi.advanceTimersByTime(15_000);
    expect(reply.received / MEDIA_BYTES_PER_SECOND).toBeGreaterThan(32);
  });

  it('starves some time after the network is lost', () => {
    const { engine, session, reply } = attach(true, { starveAfterDisconnectMs: 3000 });
    vi.advanceTimersByTime(10_000);
    engine.context.faults.set('*', { connected: false });
    const before = reply.received;
    vi.advanceTimersByTime(3000);
    expect(reply.received).toBeGreaterThan(before);
    const { received } = reply;
    vi.advanceTimersByTime(5000);
    expect([reply.received, session.stalledSince !== null]).toEqual([received, true]);
  });
});
