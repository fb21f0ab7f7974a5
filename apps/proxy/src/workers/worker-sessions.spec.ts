import { SILENT_LOG } from '@acexy/service-kit';
import { beforeEach, describe, expect, it } from 'vitest';
import { channelPair, delivered } from '../../../../test/doubles/proxy/channel.fixture.js';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import type { SessionEvent } from '../sessions/session-events.js';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';
import { WorkerSessions } from './worker-sessions.js';

const ID = 'a'.repeat(40);
const HASH = 'b'.repeat(40);
const ENGINE = { engineId: 'e', containerId: 'e', address: { host: 'h', port: 1 }, leaseId: 'l', reason: '' };

function snapshot(streamId: string, over: Partial<Record<keyof SessionSnapshot, unknown>> = {}): SessionSnapshot {
  return {
    ...{ streamId, state: 'playing', keyType: 'content_id', key: ID, infohash: null, title: null, engine: ENGINE, playback: null },
    ...{ viewers: 1, failovers: 0, startedAt: '', uptimeMs: 0, standbyEngine: null, broadcast: null },
    ...over,
  } as SessionSnapshot;
}

describe('the sessions of all workers', () => {
  let sessions: WorkerSessions;
  let workers: ReturnType<typeof channelPair>[];
  let notices: [worker: number, topic: string, body: unknown][];
  let events: SessionEvent[];

  beforeEach(() => {
    sessions = new WorkerSessions(2, new FakeClock(), SILENT_LOG);
    workers = [channelPair(), channelPair()];
    notices = [];
    events = [];
    sessions.events.subscribe((event) => events.push(event));
    for (const [index, { front, worker }] of workers.entries()) {
      sessions.open(index, front);
      for (const topic of ['leave-engine', 'end-lingering', 'free-engine', 'viewers-elsewhere', 'move-away'])
        worker.onNotice(topic, (body) => notices.push([index, topic, body]));
    }
  });

  const tell = async (worker: number, ...all: SessionSnapshot[]): Promise<void> => {
    workers[worker].worker.notify('sessions', all);
    await delivered();
  };
  const ownerOf = (selector: { type: 'content_id' | 'infohash'; value: string }) =>
    sessions.ownerOf({ to: 'worker', selector, streamId: null });

  it('are one list, for one report', async () => {
    await tell(0, snapshot('one'));
    await tell(1, snapshot('two'), snapshot('three'));
    expect(sessions.snapshots().map(({ streamId }) => streamId)).toEqual(['one', 'two', 'three']);
    workers[1].worker.notify('ended', { streamId: 'two', end: { cause: 'viewers-left', reason: 'r', at: 't' } });
    await delivered();
    expect(sessions.snapshots().map(({ streamId }) => streamId)).toEqual(['one', 'three']);
    expect(events.at(-1)).toMatchObject({ type: 'ended', streamId: 'two', end: { cause: 'viewers-left' } });
  });

  it('of a worker that exits before it told of them leave nothing behind', () => {
    const content = { keyType: 'content_id', key: ID, infohash: null } as const;
    const names = sessions.namesOf(0, 'early', content);
    expect(sessions.namesOf(0, 'early', content)).toBe(names);
    sessions.close(0);
    sessions.open(0, workers[0].front);
    expect(sessions.namesOf(0, 'early', content)).not.toBe(names);
  });

  it('of a worker that exits all end, and only those', async () => {
    await tell(0, snapshot('one'));
    await tell(1, snapshot('two'));
    events.length = 0;
    expect(sessions.close(0).map(({ streamId }) => streamId)).toEqual(['one']);
    expect(events).toMatchObject([{ type: 'ended', streamId: 'one', end: { cause: 'worker-exited' } }, { type: 'changed' }]);
    expect(sessions.snapshots().map(({ streamId }) => streamId)).toEqual(['two']);
  });

  it('tell where the next viewer of a content goes, also under its other name', async () => {
    for (const worker of [0, 1]) {
      await tell(1 - worker);
      await tell(worker, snapshot('one', { infohash: HASH }));
      expect([ownerOf({ type: 'content_id', value: ID }), ownerOf({ type: 'infohash', value: HASH })]).toEqual([worker, worker]);
    }
    await tell(0);
    await tell(1);
    expect(ownerOf({ type: 'content_id', value: ID })).toBe(ownerOf({ type: 'infohash', value: HASH }));
  });

  it('give orders of the orchestrator to every worker', async () => {
    const order = { container_id: 'e', reason: 'r', deadline: 't' };
    sessions.leaveEngine(order);
    await delivered();
    expect(notices).toEqual([
      [0, 'leave-engine', order],
      [1, 'leave-engine', order],
    ]);
  });

  it('end sessions without viewers in the workers that have some', async () => {
    await tell(0, snapshot('one', { state: 'lingering', viewers: 0 }));
    await tell(1, snapshot('two', { state: 'lingering', viewers: 0 }), snapshot('three'));
    notices.length = 0;
    expect(sessions.endLingering(5)).toBe(2);
    await delivered();
    expect(notices).toEqual([
      [0, 'end-lingering', 1],
      [1, 'end-lingering', 1],
    ]);
  });

  it('of one worker free an engine for a stream of another worker that finds none', async () => {
    await tell(1, snapshot('two'));
    expect(sessions.freeEngine(0)).toBe(false);
    await tell(1, snapshot('two', { standbyEngine: 's' }));
    notices.length = 0;
    expect(sessions.freeEngine(0)).toBe(true);
    await delivered();
    expect(notices).toEqual([[1, 'free-engine', null]]);
    await tell(0, snapshot('one', { state: 'stopping' }));
    notices.length = 0;
    expect(sessions.freeEngine(0)).toBe(true);
    await delivered();
    expect(notices).toEqual([]);
  });

  it('count together for the limit of viewers: each worker knows the viewers of the others', async () => {
    await tell(0, snapshot('one', { viewers: 3 }));
    await tell(1, snapshot('two', { viewers: 2 }));
    expect(notices).toEqual([
      [1, 'viewers-elsewhere', 3],
      [0, 'viewers-elsewhere', 2],
    ]);
    sessions.close(0);
    await delivered();
    expect(notices.at(-1)).toEqual([1, 'viewers-elsewhere', 0]);
  });

  it('move to one worker when two names turn out to be one content', async () => {
    await tell(0, snapshot('one', { state: 'starting' }));
    await tell(1, snapshot('two', { keyType: 'infohash', key: HASH, infohash: HASH }));
    notices.length = 0;
    await tell(0, snapshot('one', { state: 'starting', infohash: HASH }));
    expect(notices).toEqual([[0, 'move-away', 'one']]);
  });

  it('are rejected until the workers have started', () => {
    expect(sessions.rejecting).toBe('the workers are starting');
  });
});
