import { OrchestratorReplyError } from '@acexy/orchestrator-client';
import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../../../test/doubles/fake-clock.js';
import { FakeOrchestrator, orchestratorContext } from '../../../../test/doubles/proxy/fake-orchestrator.js';
import { EventOutbox, type StreamEvent } from './event-outbox.js';

function make() {
  const clock = new FakeClock();
  const client = new FakeOrchestrator();
  client.mode = 'foreign';
  const outbox = new EventOutbox(orchestratorContext(client, clock));
  return { clock, client, outbox };
}

const started = (streamId: string): StreamEvent => ({
  kind: 'started',
  streamId,
  event: {
    engine: { host: 'h', port: 1 },
    stream: { key_type: 'infohash', key: 'b'.repeat(40) },
    session: { playback_session_id: 'x', stat_url: 's', command_url: 'c', is_live: 1 },
    labels: { stream_id: streamId },
  },
});
const ended = (streamId: string): StreamEvent => ({ kind: 'ended', streamId, event: { stream_id: streamId } });

describe('events', () => {
  it('are sent in order', async () => {
    const { client, outbox } = make();
    outbox.push(started('1'));
    outbox.push(started('2'));
    outbox.push(ended('1'));
    await settle();
    expect(client.events).toEqual(['started 1', 'started 2', 'ended 1']);
    expect(outbox.size).toBe(0);
  });

  it('wait while the orchestrator is unreachable and are then sent, none lost and none twice', async () => {
    const { clock, client, outbox } = make();
    client.mode = 'unreachable';
    outbox.push(started('1'));
    await clock.advanceAndSettle(20_000);
    outbox.push(ended('1'));
    await clock.advanceAndSettle(1000);
    const tries = client.calls.length;
    expect(tries).toBeGreaterThan(3);
    expect(tries).toBeLessThan(15);
    client.mode = 'foreign';
    await clock.advanceAndSettle(60_000);
    expect(client.events).toEqual(['started 1', 'ended 1']);
  });

  it('that the orchestrator refuses are dropped after some attempts and block no others', async () => {
    const { clock, client, outbox } = make();
    client.eventFails = new OrchestratorReplyError('stream_started', 422, 'no');
    outbox.push(started('1'));
    await clock.advanceAndSettle(10_000);
    client.eventFails = null;
    outbox.push(started('2'));
    await settle();
    expect(client.events).toEqual(['started 2']);
  });

  it('are limited in number: streams that started and ended meanwhile are dropped first', async () => {
    const { clock, client, outbox } = make();
    client.mode = 'unreachable';
    outbox.push(started('still playing'));
    for (let index = 0; index < 2000; index++) {
      outbox.push(started(`zap ${index}`));
      outbox.push(ended(`zap ${index}`));
    }
    expect(outbox.size).toBeLessThanOrEqual(1000);
    client.mode = 'foreign';
    await clock.advanceAndSettle(60_000);
    expect(client.events[0]).toBe('started still playing');
    expect(client.events.at(-1)).toBe('ended zap 1999');
    const starts = client.events.filter((event) => event.startsWith('started zap')).length;
    expect(client.events.filter((event) => event.startsWith('ended zap'))).toHaveLength(starts);
  });

  it('that wait at shutdown are sent once more', async () => {
    const { clock, client, outbox } = make();
    client.mode = 'unreachable';
    outbox.push(started('1'));
    await settle();
    client.mode = 'foreign';
    await outbox.stop();
    expect(client.events).toEqual(['started 1']);
    expect(clock.pending).toBe(0);
  });
});
