import { describe, expect, it } from 'vitest';
import { settle } from '../../../../test/doubles/fake-clock.js';
import { FakeOrchestrator, orchestratorContext } from '../../../../test/doubles/proxy/fake-orchestrator.js';
import { SyntheticStream } from '../../../../test/doubles/proxy/broadcast.fixture.js';
import { LINGER_MS, byId, makeSessions, packets } from '../../../../test/doubles/proxy/sessions.fixture.js';
import { ReportingService } from './reporting.service.js';

function make(mode: FakeOrchestrator['mode']) {
  const sessions = makeSessions();
  const { clock, registry } = sessions;
  const client = new FakeOrchestrator();
  client.mode = mode;
  const reporting = new ReportingService(orchestratorContext(client, clock), registry);
  return { ...sessions, client, reporting };
}

describe('reporting', () => {
  it('our orchestrator gets reports and no events', async () => {
    const { registry, clock, client, reporting, engines } = make('ours');
    reporting.start();
    const viewer = registry.subscribe(byId());
    await clock.advanceAndSettle(100);
    expect(client.reports.at(-1)?.sessions).toMatchObject([{ state: 'playing', viewers: 1, container_id: 'engine-1' }]);
    viewer.leave();
    await clock.advanceAndSettle(3000);
    engines[0].mediaStreams[0].write(packets());
    await clock.advanceAndSettle(LINGER_MS - 2900);
    expect(client.reports.flatMap(({ ended }) => ended)).toMatchObject([{ reason: 'the last viewer left' }]);
    expect(client.events).toEqual([]);
  });

  it('a foreign orchestrator gets one event when a stream plays and one when it has ended', async () => {
    const { registry, clock, client, reporting } = make('foreign');
    reporting.start();
    await clock.advanceAndSettle(10);
    const viewer = registry.subscribe(byId());
    await clock.advanceAndSettle(100);
    const [{ id }] = registry.sessions();
    expect(client.events).toEqual([`started ${id}`]);
    viewer.leave();
    await clock.advanceAndSettle(LINGER_MS + 100);
    expect(client.events).toEqual([`started ${id}`, `ended ${id}`]);
    expect(reporting.unsentEvents).toBe(0);
  });

  it('a foreign orchestrator learns of a failover: the stream ended on the first engine and started on the second', async () => {
    const { registry, clock, client, reporting, engines } = make('foreign');
    reporting.start();
    await clock.advanceAndSettle(10);
    const stream = new SyntheticStream().frames(300);
    const frame = stream.length / 300;
    for (const engine of engines) engine.media = 'silent';
    const viewer = registry.subscribe(byId());
    await settle();
    engines[0].mediaStreams[0].write(stream.subarray(0, 100 * frame));
    await clock.advanceAndSettle(100);
    engines[0].mediaStreams[0].end();
    await settle();
    engines[1].mediaStreams[0].write(stream.subarray(50 * frame));
    await clock.advanceAndSettle(100);
    const [{ id }] = registry.sessions();
    expect(registry.snapshots()).toMatchObject([{ state: 'playing', failovers: 1 }]);
    expect(client.events).toEqual([`started ${id}`, `ended ${id}`, `started ${id}`]);
    viewer.leave();
    await clock.advanceAndSettle(LINGER_MS + 100);
    expect(client.events.at(-1)).toBe(`ended ${id}`);
    await reporting.stop();
  });

  it('an orchestrator that turns out to be foreign learns of streams that started before', async () => {
    const { registry, clock, client, reporting, engines } = make('unreachable');
    reporting.start();
    registry.subscribe(byId());
    await clock.advanceAndSettle(100);
    client.mode = 'foreign';
    await clock.advanceAndSettle(4500);
    expect(engines[0].starts).toHaveLength(1);
    expect(client.events).toEqual([`started ${registry.sessions()[0].id}`]);
  });

  it('a failed start sends no event', async () => {
    const { registry, clock, client, reporting, selector } = make('foreign');
    selector.engines.length = 0;
    reporting.start();
    await clock.advanceAndSettle(10);
    registry.subscribe(byId());
    await settle();
    await clock.advanceAndSettle(3000);
    expect(client.events).toEqual([]);
    await reporting.stop();
  });

  it('a proxy whose id belongs to another proxy too takes a new id and reports under it at once', async () => {
    const { clock, client, reporting } = make('ours');
    client.copiedIds.add('11111111-1111-4111-8111-111111111111');
    reporting.start();
    await clock.advanceAndSettle(100);
    expect(client.reporters).toEqual(['11111111-1111-4111-8111-111111111111', '33333333-3333-4333-8333-333333333333']);
    await reporting.stop();
  });
});
