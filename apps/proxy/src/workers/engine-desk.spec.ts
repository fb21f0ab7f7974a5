import type { EngineClient } from '@acexy/engine-client';
import { SILENT_LOG } from '@acexy/service-kit';
import { beforeEach, describe, expect, it } from 'vitest';
import { channelPair, delivered } from '../../../../test/doubles/proxy/channel.fixture.js';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { EngineSelector, type LeasedEngine, NoEngineError, type SelectRequest } from '../selection/engine-selector.js';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';
import { EngineDesk } from './engine-desk.js';
import { FrontSelector } from './front-selector.js';
import { WorkerSessions } from './worker-sessions.js';

const ADDRESS = { host: '10.0.0.1', port: 6878 };

/** The selector of the front, which the test answers. */
class ScriptedSelector extends EngineSelector {
  readonly requests: SelectRequest[] = [];
  readonly released: string[] = [];
  answer: (request: SelectRequest) => Promise<LeasedEngine> = async () => this.engine('one');

  select(request: SelectRequest): Promise<LeasedEngine> {
    this.requests.push(request);
    return this.answer(request);
  }

  engine(engineId: string): LeasedEngine {
    const release = async (): Promise<void> => void this.released.push(engineId);
    return { engineId, containerId: engineId, address: ADDRESS, leaseId: `lease-${engineId}`, reason: 'r', release };
  }
}

describe('engines for the workers', () => {
  const clock = new FakeClock();
  let selector: ScriptedSelector;
  let desk: EngineDesk;
  let sessions: WorkerSessions;
  let stopped: string[];
  let infohashes: Map<string, string>;

  beforeEach(() => {
    selector = new ScriptedSelector();
    stopped = [];
    infohashes = new Map();
    sessions = new WorkerSessions(2, clock, SILENT_LOG);
    const engine = {
      stop: async ({ commandUrl }: { commandUrl: string }) => void stopped.push(commandUrl),
      describe: async ({ value }: { value: string }) => ({ infohash: infohashes.get(value) ?? null, title: null }),
    };
    desk = new EngineDesk(selector, () => engine as unknown as EngineClient, sessions, clock, SILENT_LOG);
  });

  function worker(index: number) {
    const pair = channelPair();
    sessions.open(index, pair.front);
    desk.open(index, pair.front);
    return { ...pair, engines: new FrontSelector(pair.worker, clock) };
  }

  const request = (over: Partial<SelectRequest> = {}): SelectRequest => ({
    streamId: 's',
    content: { keyType: 'content_id', key: 'a'.repeat(40), infohash: null },
    exclude: ['bad'],
    purpose: 'start',
    deadline: clock.now() + 5000,
    signal: new AbortController().signal,
    onNoneFree: () => false,
    ...over,
  });

  it('are leased by the front, and released when the worker releases them', async () => {
    const { engines } = worker(0);
    const leased = await engines.select(request());
    expect(leased).toMatchObject({ engineId: 'one', containerId: 'one', address: ADDRESS, leaseId: 'lease-one' });
    expect(selector.requests[0]).toMatchObject({
      streamId: 's',
      exclude: ['bad'],
      purpose: 'start',
      deadline: clock.now() + 5000,
      standby: null,
    });
    expect(selector.released).toEqual([]);
    await leased.release();
    expect(selector.released).toEqual(['one']);
  });

  it('are refused with the reason and the wait of the front', async () => {
    selector.answer = () => Promise.reject(new NoEngineError('all engines are in use', 7));
    await expect(worker(0).engines.select(request())).rejects.toMatchObject({ reason: 'all engines are in use', retryAfterSeconds: 7 });
  });

  it('are given back when the stream stopped waiting before the answer arrived', async () => {
    const { engines } = worker(0);
    const abort = new AbortController();
    const selecting = engines.select(request({ signal: abort.signal }));
    await delivered(1);
    abort.abort(new Error('the viewer left'));
    await expect(selecting).rejects.toThrow('the viewer left');
    await delivered();
    expect(selector.released).toEqual(['one']);
  });

  it('are not waited for in the front when the stream stopped waiting', async () => {
    selector.answer = ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    const abort = new AbortController();
    const selecting = worker(0).engines.select(request({ signal: abort.signal }));
    await delivered();
    abort.abort(new Error('the viewer left'));
    await expect(selecting).rejects.toThrow('the viewer left');
    await delivered();
    expect(selector.requests[0].signal.aborted).toBe(true);
  });

  it('that are standby engines are checked by the front, and stay the same', async () => {
    const { engines } = worker(0);
    const standby = await engines.select(request({ purpose: 'reserve' }));
    selector.answer = async ({ standby: kept }) => kept ?? selector.engine('two');
    expect(await engines.select(request({ standby, purpose: 'failover' }))).toBe(standby);
  });

  it('that none is free, the worker learns: it may end a stream without viewers', async () => {
    let told = 0;
    selector.answer = async ({ onNoneFree }) => {
      onNoneFree();
      await delivered();
      return selector.engine('one');
    };
    await worker(0).engines.select(request({ onNoneFree: () => (told += 1) > 0 }));
    expect(told).toBe(1);
  });

  it('of a worker that ends are stopped and released, and those of others are not', async () => {
    const [first, second] = [worker(0), worker(1)];
    const leased = await first.engines.select(request());
    selector.answer = async () => selector.engine('two');
    await second.engines.select(request({ streamId: 't' }));
    const played = { streamId: 's', engine: leased, playback: { commandUrl: 'http://one/cmd' } } as unknown as SessionSnapshot;
    first.end();
    await desk.close(0, [played, { ...played, playback: null }]);
    expect([stopped, selector.released]).toEqual([['http://one/cmd'], ['one']]);
  });

  it('that arrive after their worker has ended are released', async () => {
    let grant: (engine: LeasedEngine) => void = () => undefined;
    selector.answer = () => new Promise((resolve) => (grant = resolve));
    const first = worker(0);
    const selecting = first.engines.select(request()).catch(() => 'failed');
    await delivered();
    first.end();
    await desk.close(0, []);
    grant(selector.engine('late'));
    await delivered();
    expect([await selecting, selector.released]).toEqual(['failed', ['late']]);
  });

  it('never play one content twice: the second worker gives its viewers to the first', async () => {
    const infohash = 'b'.repeat(40);
    infohashes.set('a'.repeat(40), infohash);
    const [first, second] = [worker(0), worker(1)];
    await first.engines.select(request());
    const moved: string[] = [];
    second.worker.onNotice('move-away', (streamId: string) => moved.push(streamId));
    const other = request({ streamId: 't', content: { keyType: 'infohash', key: infohash, infohash } });
    await expect(second.engines.select(other)).rejects.toThrow(NoEngineError);
    expect([moved, selector.released]).toEqual([['t'], ['one']]);
  });

  it('may play different contents of two workers', async () => {
    const [first, second] = [worker(0), worker(1)];
    await first.engines.select(request());
    const other = request({ streamId: 't', content: { keyType: 'infohash', key: 'c'.repeat(40), infohash: 'c'.repeat(40) } });
    expect((await second.engines.select(other)).engineId).toBe('one');
  });
});
