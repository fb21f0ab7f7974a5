import { EngineUnreachableError } from '@acexy/engine-client';
import { ProvisioningBlockedError, UnauthorizedError } from '@acexy/orchestrator-client';
import type { LeaseAnswer } from '@acexy/orchestrator-client';
import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../../../test/doubles/fake-clock.js';
import { type LeasedEngine, NoEngineError, type SelectRequest } from './engine-selector.js';
import { FallbackSelector } from './fallback-selector.js';
import { LeaseSelector } from './lease-selector.js';
import { ListRefresh } from './list-refresh.js';
import { ListSelector } from './list-selector.js';
import { OrchestratedSelector } from './orchestrated-selector.js';
import { engineState } from '../../../../test/doubles/engine-state.js';
import {
  FakeOrchestrator,
  granted,
  orchestratorContext,
  selectRequest,
  waiting,
} from '../../../../test/doubles/proxy/fake-orchestrator.js';
import { Reservations } from './reservations.js';

const BLOCKED = { message: 'the breaker is open', recoveryEtaSeconds: 12, retryAfterSeconds: null };
const FULL = new ProvisioningBlockedError({
  code: 'max_capacity',
  message: 'all 20 engines are in use',
  recoveryEtaSeconds: 12,
  retryAfterSeconds: null,
});

function make() {
  const clock = new FakeClock();
  const client = new FakeOrchestrator();
  const orchestrator = orchestratorContext(client, clock);
  const { link } = orchestrator;
  const reservations = new Reservations(clock);
  const engine = { answers: true };
  const engineStatus = () => ({
    getStatus: () => (engine.answers ? Promise.resolve() : Promise.reject(new EngineUnreachableError('get_status: ECONNREFUSED'))),
  });
  const list = new ListSelector(orchestrator, reservations, 1, engineStatus);
  const leases = new LeaseSelector(orchestrator, reservations, 3000, (engine) => list.learn(engine));
  const fallback = new FallbackSelector({ host: 'fallback', port: 6878 }, reservations, clock);
  const selector = new OrchestratedSelector(orchestrator, leases, list, fallback);
  /** Starts a selection; its result can be read at any time. */
  const select = (changes: Partial<SelectRequest> = {}) => {
    const outcome = { leased: null as LeasedEngine | null, error: null as Error | null };
    void selector.select(selectRequest(changes)).then(
      (leased) => (outcome.leased = leased),
      (error: Error) => (outcome.error = error),
    );
    return outcome;
  };
  return { clock, client, orchestrator, link, reservations, list, fallback, selector, select, engine };
}

describe('an engine from our orchestrator', () => {
  it('is leased, and the lease is returned when it is released', async () => {
    const { client, select } = make();
    client.leases = [granted('lease-1', engineState('e1'))];
    const outcome = select({ exclude: ['e0'] });
    await settle();
    expect(outcome.leased).toMatchObject({ engineId: 'e1', leaseId: 'lease-1', address: { host: 'e1', port: 6878 } });
    expect(client.asked[0]).toMatchObject({ exclude: ['e0'], purpose: 'start', key_type: 'content_id' });
    expect(client.asked[0].wait_ms).toBeLessThan(3000);
    await outcome.leased?.release();
    expect(client.released).toEqual(['lease-1']);
  });

  it('is requested with the same request id during the whole wait', async () => {
    const { client, clock, select } = make();
    client.leases = [waiting(), waiting(), granted('lease-1', engineState('e1'))];
    const outcome = select();
    await clock.advanceAndSettle(2000);
    expect(outcome.leased?.leaseId).toBe('lease-1');
    expect(new Set(client.asked.map(({ request_id: id }) => id)).size).toBe(1);
  });

  it('is not awaited beyond the deadline', async () => {
    const { client, clock, select } = make();
    client.leases = [waiting()];
    const outcome = select({ deadline: 5000 });
    await clock.advanceAndSettle(6000);
    expect(outcome.error).toBeInstanceOf(NoEngineError);
    expect(clock.pending).toBe(0);
  });

  it('that is granted after the request was cancelled is released', async () => {
    const { client, select } = make();
    let grant: (answer: LeaseAnswer) => void = () => undefined;
    client.leases = [new Promise<LeaseAnswer>((resolve) => (grant = resolve))];
    const abort = new AbortController();
    const outcome = select({ signal: abort.signal });
    await settle();
    abort.abort(new Error('the viewer left'));
    await settle();
    expect(outcome.error?.message).toBe('the viewer left');
    grant(granted('lease-1', engineState('e1')));
    await settle();
    expect(client.released).toEqual([client.asked[0].request_id, 'lease-1']);
  });

  it('is first requested with a short wait, so that an own session can release one at once when none is free', async () => {
    const { client, clock, select } = make();
    client.leases = [waiting(), granted('lease-1', engineState('e1'))];
    let scarce = 0;
    const outcome = select({ onNoneFree: () => ++scarce > 0 });
    await clock.advanceAndSettle(50);
    expect([scarce, outcome.leased?.leaseId]).toEqual([1, 'lease-1']);
    expect(client.asked.map(({ wait_ms: ms }) => ms)).toEqual([100, 2250]);
  });

  it.each([
    ['during a request', new Promise<LeaseAnswer>(() => undefined)],
    ['between two requests', waiting()],
  ])('leaves the queue when the request is cancelled: %s', async (_moment, answer) => {
    const { client, select } = make();
    client.leases = [answer];
    const abort = new AbortController();
    select({ signal: abort.signal });
    await settle();
    abort.abort(new Error('the viewer left'));
    await settle();
    expect(client.released).toEqual([client.asked[0].request_id]);
  });

  it('that never comes causes NoEngineError with the reason why starts fail', async () => {
    const { client, clock, select } = make();
    client.leases = [waiting(500, 'engine acestream-1 did not answer')];
    const outcome = select({ deadline: 5000 });
    await clock.advanceAndSettle(6000);
    expect(outcome.error?.message).toBe(
      'no engines available: no engine became free in time. The last start failed: engine acestream-1 did not answer',
    );
  });

  it('leaves the queue at the deadline', async () => {
    const { client, clock, select } = make();
    client.leases = [waiting()];
    select({ deadline: 5000 });
    await clock.advanceAndSettle(6000);
    expect(client.released).toEqual([client.asked[0].request_id]);
  });

  it('that is refused causes NoEngineError with reason and retry time, after one long wait: the viewer may be changing channels', async () => {
    const { client, clock, select } = make();
    client.leases = [FULL];
    const outcome = select();
    await settle();
    expect(outcome.error).toBeNull();
    await clock.advanceAndSettle(50);
    expect(client.asked.map(({ wait_ms: ms }) => ms)).toEqual([100, 2250]);
    expect(outcome.error).toMatchObject({ code: 'no_engine', retryAfterSeconds: 12 });
    expect(outcome.error?.message).toBe('no engines available: all 20 engines are in use (max_capacity)');
  });

  it('that is refused for a second try of a start causes NoEngineError at once: the content failed elsewhere', async () => {
    const { client, select } = make();
    client.leases = [FULL];
    const outcome = select({ exclude: ['e1'] });
    await settle();
    expect(outcome.error).toMatchObject({ code: 'no_engine' });
    expect(client.asked).toHaveLength(1);
  });

  it('that is refused is requested again when a lingering stream ends', async () => {
    const { client, clock, select } = make();
    client.leases = [FULL, granted('lease-1', engineState('e1'))];
    const outcome = select({ onNoneFree: () => true });
    await clock.advanceAndSettle(300);
    expect(outcome.leased?.leaseId).toBe('lease-1');
  });
});

describe('an engine of a foreign orchestrator', () => {
  it('is chosen from its list and reserved in the proxy, so that the next stream gets another one', async () => {
    const { client, select, link } = make();
    client.mode = 'foreign';
    client.list = [engineState('e1'), engineState('e2')];
    const first = select();
    await settle();
    const second = select({ streamId: 'stream-2', content: { keyType: 'infohash', key: 'b'.repeat(40), infohash: 'b'.repeat(40) } });
    await settle();
    expect(new Set([first.leased?.engineId, second.leased?.engineId])).toEqual(new Set(['e1', 'e2']));
    expect(link.kind).toBe('foreign');
    expect(client.calls.filter((call) => call === 'lease')).toHaveLength(1);
  });

  it('is started when none is free, and used when it answers', async () => {
    const { client, clock, select, engine } = make();
    client.mode = 'foreign';
    client.provisioned = { container_id: 'new', container_name: 'new', host_http_port: 1, container_http_port: 1, container_https_port: 2 };
    engine.answers = false;
    const outcome = select();
    await clock.advanceAndSettle(2000);
    client.list = [engineState('new', { health_status: 'unknown' })];
    await clock.advanceAndSettle(3000);
    expect(outcome.leased).toBeNull();
    engine.answers = true;
    await clock.advanceAndSettle(1000);
    expect(outcome.leased?.engineId).toBe('new');
    expect(client.calls.filter((call) => call === 'provision')).toHaveLength(1);
  });

  it('that is in use is awaited while the pool is full: a player may be changing channels', async () => {
    const { client, clock, select } = make();
    client.mode = 'foreign';
    client.provisioned = FULL;
    client.list = [engineState('e1', { streams: ['old-channel'] })];
    const outcome = select();
    await clock.advanceAndSettle(12_000);
    expect([outcome.leased, outcome.error]).toEqual([null, null]);
    client.list = [engineState('e1')];
    await clock.advanceAndSettle(1000);
    expect(outcome.leased?.engineId).toBe('e1');
  });

  it('that stays in use causes NoEngineError after 15 s, at once if another engine has failed before', async () => {
    const { client, clock, select } = make();
    client.mode = 'foreign';
    client.provisioned = FULL;
    client.list = [engineState('e1', { streams: ['another-viewer'] })];
    const second = select({ exclude: ['e2'] });
    await settle();
    expect(second.error).toMatchObject({ code: 'no_engine', retryAfterSeconds: 3 });
    const first = select({ streamId: 'stream-2' });
    await clock.advanceAndSettle(14_000);
    expect(first.error).toBeNull();
    await clock.advanceAndSettle(2000);
    expect(first.error).toMatchObject({ code: 'no_engine', retryAfterSeconds: 3 });
    expect(first.error?.message).toBe('no engines available: all 20 engines are in use (max_capacity)');
  });

  it.each([
    [new ProvisioningBlockedError({ ...BLOCKED, code: 'circuit_breaker' }), 'the breaker is open (circuit_breaker)'],
    [new UnauthorizedError('provision', 403), 'rejects our API key'],
  ])('that is refused causes NoEngineError with the reason: %s', async (refusal, text) => {
    const { client, select } = make();
    client.mode = 'foreign';
    client.provisioned = refusal;
    const outcome = select();
    await settle();
    expect(outcome.error).toBeInstanceOf(NoEngineError);
    expect(outcome.error?.message).toContain(text);
  });
});

describe('while the orchestrator is unreachable', () => {
  it('the last list is used, and the orchestrator gets no further requests', async () => {
    const { client, link, list, select } = make();
    client.list = [engineState('e1')];
    await list.refresh();
    client.mode = 'unreachable';
    const first = select();
    await settle();
    expect(link.unreachable).toBe(true);
    expect(first.leased).toMatchObject({ engineId: 'e1', leaseId: null });
    const before = client.calls.length;
    const second = select({ streamId: 'stream-2', content: { keyType: 'infohash', key: 'b'.repeat(40), infohash: null } });
    await settle();
    expect(second.leased).toMatchObject({ engineId: 'fallback:6878', containerId: null });
    expect(client.calls).toHaveLength(before);
  });

  it('the engines from before a restart are used when the orchestrator disappears again before it lists any', async () => {
    const { client, list, select } = make();
    client.list = [engineState('e1')];
    await list.refresh();
    client.list = [];
    await list.refresh();
    client.mode = 'unreachable';
    const outcome = select();
    await settle();
    expect(outcome.leased?.engineId).toBe('e1');
  });

  it('an engine that was leased before any list showed it can play the next stream after its release', async () => {
    const { client, list, select } = make();
    await list.refresh();
    client.leases = [granted('lease-1', engineState('e1'))];
    const first = select();
    await settle();
    await first.leased?.release();
    client.mode = 'unreachable';
    const next = select({ streamId: 'stream-2' });
    await settle();
    expect(next.leased).toMatchObject({ engineId: 'e1', leaseId: null });
  });

  it('an engine that a later list no longer contains is forgotten', async () => {
    const { client, list, select } = make();
    client.leases = [granted('lease-1', engineState('e1'))];
    const first = select();
    await settle();
    await first.leased?.release();
    client.list = [engineState('e2')];
    await list.refresh();
    client.mode = 'unreachable';
    const next = select({ streamId: 'stream-2', exclude: ['e2'] });
    await settle();
    expect(next.leased?.engineId).toBe('fallback:6878');
  });

  it('the list is read soon after the orchestrator returns, and at the normal pace from then on', async () => {
    const { client, clock, orchestrator, list } = make();
    client.mode = 'unreachable';
    const refresh = new ListRefresh({ ...orchestrator, random: () => 0 }, list, 5000);
    refresh.start();
    await settle();
    client.mode = 'ours';
    await clock.advanceAndSettle(1000);
    expect(client.calls.filter((call) => call === 'engines')).toHaveLength(2);
    await clock.advanceAndSettle(5000);
    expect(client.calls.filter((call) => call === 'engines')).toHaveLength(2);
    await clock.advanceAndSettle(600);
    expect(client.calls.filter((call) => call === 'engines')).toHaveLength(3);
    await refresh.stop();
  });

  it('a leased engine is not chosen a second time', async () => {
    const { client, list, select } = make();
    client.list = [engineState('e1')];
    client.leases = [granted('lease-1', engineState('e1'))];
    await list.refresh();
    select();
    await settle();
    client.mode = 'unreachable';
    const second = select({ streamId: 'stream-2', content: { keyType: 'infohash', key: 'b'.repeat(40), infohash: null } });
    await settle();
    expect(second.leased?.engineId).toBe('fallback:6878');
  });

  it('a request that finds no engine waits for the orchestrator, at most as long as a restart takes', async () => {
    const { client, clock, list, select } = make();
    client.mode = 'unreachable';
    const outcome = select({ exclude: ['fallback:6878'] });
    await clock.advanceAndSettle(4000);
    expect([outcome.leased, outcome.error]).toEqual([null, null]);
    client.mode = 'ours';
    client.leases = [granted('lease-1', engineState('e1'))];
    await list.refresh();
    await clock.advanceAndSettle(300);
    expect(outcome.leased?.leaseId).toBe('lease-1');
    expect(clock.pending).toBe(0);
  });

  it('the orchestrator is used again as soon as one call has succeeded', async () => {
    const { client, link, list, select } = make();
    client.mode = 'unreachable';
    select();
    await settle();
    client.mode = 'ours';
    client.leases = [granted('lease-1', engineState('e1'))];
    await list.refresh();
    expect(link.unreachable).toBe(false);
    const next = select({ streamId: 'stream-2' });
    await settle();
    expect(next.leased?.leaseId).toBe('lease-1');
  });
});

describe('the fallback engine', () => {
  it('plays several contents, and one content again only after its previous session was stopped', async () => {
    const { client, clock, select } = make();
    client.mode = 'unreachable';
    const first = select();
    const other = select({ streamId: 'stream-2', content: { keyType: 'infohash', key: 'b'.repeat(40), infohash: null } });
    await settle();
    const again = select({ streamId: 'stream-3' });
    await clock.advanceAndSettle(1000);
    expect([first.leased?.engineId, other.leased?.engineId]).toEqual(['fallback:6878', 'fallback:6878']);
    expect(again.leased).toBeNull();
    await first.leased?.release();
    await settle();
    expect(again.leased?.engineId).toBe('fallback:6878');
  });

  it('is not tried twice for one stream', async () => {
    const { client, clock, select } = make();
    client.mode = 'unreachable';
    const outcome = select({ exclude: ['fallback:6878'] });
    await clock.advanceAndSettle(10_000);
    expect(outcome.error).toBeInstanceOf(NoEngineError);
    const later = select({ exclude: ['fallback:6878'] });
    await settle();
    expect(later.error).toBeInstanceOf(NoEngineError);
  });
});

describe('a foreign orchestrator', () => {
  it('gets a lease request again after a while, because it may have been replaced by ours', async () => {
    const { client, clock, select, link } = make();
    client.mode = 'foreign';
    client.list = [engineState('e1')];
    select();
    await settle();
    client.mode = 'ours';
    client.leases = [granted('lease-1', engineState('e2'))];
    await clock.advanceAndSettle(300_000);
    expect(link.kind).toBe('ours');
    const next = select({ streamId: 'stream-2', deadline: 400_000 });
    await settle();
    expect(next.leased?.leaseId).toBe('lease-1');
  });
});

describe('a standby engine', () => {
  async function leaseStandby(made: ReturnType<typeof make>): Promise<LeasedEngine> {
    const outcome = made.select({ purpose: 'reserve' });
    await settle();
    return outcome.leased!;
  }

  it('is confirmed with its own request id when it is needed, and used while its lease is valid', async () => {
    const made = make();
    made.client.leases = [granted('lease-1', engineState('e1'))];
    const standby = await leaseStandby(made);
    const outcome = made.select({ purpose: 'failover', standby });
    await settle();
    expect(outcome.leased).toBe(standby);
    expect(made.client.asked.map(({ purpose }) => purpose)).toEqual(['reserve', 'failover']);
    expect(new Set(made.client.asked.map(({ request_id: id }) => id)).size).toBe(1);
    expect(made.reservations.count('e1')).toBe(1);
  });

  it('that the orchestrator has leased to another proxy is not used; another engine is', async () => {
    const made = make();
    made.client.leases = [granted('lease-1', engineState('e1')), granted('lease-2', engineState('e2'))];
    const standby = await leaseStandby(made);
    const outcome = made.select({ purpose: 'failover', standby });
    await settle();
    expect(outcome.leased).toMatchObject({ engineId: 'e2', leaseId: 'lease-2' });
  });

  it.each(['known to be unreachable', 'unreachable, and this is not known yet'])(
    'is used as it is while the orchestrator is %s',
    async (state) => {
      const made = make();
      made.client.leases = [granted('lease-1', engineState('e1'))];
      const standby = await leaseStandby(made);
      made.client.mode = 'unreachable';
      if (state === 'known to be unreachable') made.link.markUnreachable('test');
      const outcome = made.select({ purpose: 'failover', standby });
      await settle();
      expect(outcome.leased).toBe(standby);
      expect(made.client.released).toEqual([]);
    },
  );

  it('comes from the list of a foreign orchestrator, and none is started for it', async () => {
    const made = make();
    made.client.mode = 'foreign';
    made.client.list = [engineState('e1')];
    const standby = await leaseStandby(made);
    expect(standby).toMatchObject({ engineId: 'e1', leaseId: null });
    const second = made.select({ purpose: 'reserve', streamId: 'stream-2', content: { keyType: 'content_id', key: 'c', infohash: null } });
    await settle();
    expect(second.error).toBeInstanceOf(NoEngineError);
    expect(made.client.calls).not.toContain('provision');
    const used = made.select({ purpose: 'failover', standby });
    await settle();
    expect(used.leased).toBe(standby);
  });
});
