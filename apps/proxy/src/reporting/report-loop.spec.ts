import { OrchestratorReplyError } from '@acexy/orchestrator-client';
import type { LeaveOrder } from '@acexy/contracts';
import { ProxyReport } from '@acexy/contracts';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../../../test/doubles/fake-clock.js';
import { FakeOrchestrator, orchestratorContext } from '../../../../test/doubles/proxy/fake-orchestrator.js';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';
import { ReportLoop } from './report-loop.js';

const STREAM = '33333333-3333-4333-8333-333333333333';

const SNAPSHOT: SessionSnapshot = {
  streamId: STREAM,
  state: 'starting',
  keyType: 'content_id',
  key: 'a'.repeat(40),
  infohash: null,
  title: null,
  engine: null,
  playback: null,
  viewers: 1,
  failovers: 0,
  startedAt: '2026-01-01T00:00:00.000Z',

  uptimeMs: 0,
  standbyEngine: null,
  broadcast: null,
};

function make() {
  const clock = new FakeClock();
  const client = new FakeOrchestrator();
  const orchestrator = orchestratorContext(client, clock);
  const sessions: SessionSnapshot[] = [];
  const orders: LeaveOrder[] = [];
  const wanted: number[] = [];
  const loop = new ReportLoop(orchestrator, {
    snapshots: () => sessions,
    onLeaveOrder: (order) => orders.push(order),
    onEnginesWanted: (count) => wanted.push(count),
    onNotTaken: () => undefined,
  });
  return { clock, client, link: orchestrator.link, sessions, orders, wanted, loop };
}

describe('reports', () => {
  it('pass on how many viewers wait for an engine', async () => {
    const { clock, client, loop, wanted } = make();
    loop.start();
    await clock.advanceAndSettle(0);
    client.enginesWanted = 2;
    await clock.advanceAndSettle(2000);
    expect(wanted).toEqual([2]);
  });

  it('are sent at once, then every 2 s; many changes become one report', async () => {
    const { clock, client, loop } = make();
    loop.start();
    await clock.advanceAndSettle(0);
    expect(client.reports).toHaveLength(1);
    await clock.advanceAndSettle(4100);
    expect(client.reports).toHaveLength(3);
    for (let change = 0; change < 50; change++) loop.changed();
    await clock.advanceAndSettle(100);
    expect(client.reports).toHaveLength(4);
    expect(client.reports.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  it('name a change of one stream at once; while a hundred streams change all the time, they are sent twice a second', async () => {
    const { clock, client, sessions, loop } = make();
    loop.start();
    await clock.advanceAndSettle(0);
    const during = async (ms: number): Promise<number> => {
      const before = client.reports.length;
      for (let passed = 0; passed < ms; passed += 10) {
        loop.changed();
        await clock.advanceAndSettle(10);
      }
      return client.reports.length - before;
    };
    sessions.push(SNAPSHOT);
    expect(await during(20)).toBe(1);
    await clock.advanceAndSettle(2000);
    for (let count = 1; count < 100; count++) sessions.push(SNAPSHOT);
    await clock.advanceAndSettle(2000);
    expect(await during(2000)).toBe(4);
  });

  it('are valid from the first moment of a stream to its last', async () => {
    const { clock, client, sessions, loop } = make();
    const leased = {
      engineId: 'e1',
      containerId: 'e1',
      address: { host: 'h', port: 1 },
      leaseId: STREAM,
      reason: '',
      release: () => Promise.resolve(),
    };
    const playback = {
      kind: 'ts' as const,
      playbackUrl: 'http://h:1/p',
      statUrl: 'http://h:1/s',
      commandUrl: 'http://h:1/c',
      infohash: 'b'.repeat(40),
      playbackSessionId: 'x',
      isLive: true,
      isEncrypted: false,
    };
    sessions.push(
      SNAPSHOT,
      { ...SNAPSHOT, engine: leased },
      { ...SNAPSHOT, state: 'playing', engine: leased, playback, infohash: 'b'.repeat(40) },
    );
    sessions.push({ ...SNAPSHOT, state: 'stopping', engine: leased, playback }, { ...SNAPSHOT, state: 'ended' });
    loop.sessionEnded(STREAM, 'the last viewer left', '2026-01-01T00:01:00.000Z');
    loop.start();
    await clock.advanceAndSettle(30);
    const report = plainToInstance(ProxyReport, client.reports[0]);
    expect(validateSync(report, { whitelist: true, forbidNonWhitelisted: true })).toEqual([]);
    expect(report.sessions.map(({ state }) => state)).toEqual(['starting', 'starting', 'playing', 'lingering']);
    expect(report.sessions[2]).toMatchObject({ container_id: 'e1', lease_id: STREAM, host: 'h', port: 1, stat_url: 'http://h:1/s' });
  });

  it('list ended sessions until they are acknowledged', async () => {
    const { clock, client, loop } = make();
    loop.start();
    await clock.advanceAndSettle(0);
    client.mode = 'unreachable';
    loop.sessionEnded(STREAM, 'the last viewer left', '2026-01-01T00:01:00.000Z');
    await clock.advanceAndSettle(10_000);
    expect(client.reports).toHaveLength(1);
    client.mode = 'ours';
    await clock.advanceAndSettle(4100);
    const ended = { stream_id: STREAM, reason: 'the last viewer left', ended_at: '2026-01-01T00:01:00.000Z' };
    expect(client.reports.flatMap((report) => report.ended)).toEqual([ended]);
    expect(client.reports.at(-1)?.ended).toEqual([]);
  });

  it('notice that an unreachable orchestrator is reachable again', async () => {
    const { clock, client, link, loop } = make();
    client.mode = 'unreachable';
    loop.start();
    await clock.advanceAndSettle(10);
    expect(link.unreachable).toBe(true);
    client.mode = 'ours';
    await clock.advanceAndSettle(2100);
    expect(link.unreachable).toBe(false);
  });

  it('continue after an error, and are not sent to an orchestrator that takes none', async () => {
    const { clock, client, loop, link } = make();
    const report = client.report.bind(client);
    client.report = () => Promise.reject(new OrchestratorReplyError('report', 500, 'boom'));
    loop.start();
    await clock.advanceAndSettle(10);
    client.report = report;
    await clock.advanceAndSettle(2100);
    expect(client.reports).toHaveLength(1);
    client.mode = 'foreign';
    await clock.advanceAndSettle(2100);
    const calls = client.calls.length;
    await clock.advanceAndSettle(60_000);
    expect(link.kind).toBe('foreign');
    expect(client.calls).toHaveLength(calls);
  });

  it('return leave orders, each passed on once', async () => {
    const { clock, client, orders, loop } = make();
    client.leave = [{ container_id: 'e1', reason: 'draining', deadline: '2026-01-01T00:02:00.000Z' }];
    loop.start();
    await clock.advanceAndSettle(6000);
    expect(orders).toEqual(client.leave);
  });

  it('end with a last report', async () => {
    const { clock, client, loop } = make();
    loop.start();
    await clock.advanceAndSettle(0);
    loop.sessionEnded(STREAM, 'the proxy is shutting down', '2026-01-01T00:01:00.000Z');
    await loop.stop();
    expect(client.reports.at(-1)?.ended).toHaveLength(1);
    expect(clock.pending).toBe(0);
    loop.changed();
    await settle();
    expect(clock.pending).toBe(0);
  });
});
