/** Leases engines for the workers, and releases those of a worker that has ended. */
import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import type { EngineAddress } from '@acexy/engine-client';
import { type ContentNames, type EngineSelector, type LeasedEngine, NoEngineError } from '../selection/engine-selector.js';
import type { EngineClients } from '../selection/injection-tokens.js';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';
import { ASK_FRONT, type GrantedEngine, type RefusedEngine, type SelectOrder, TO_FRONT, TO_WORKER } from './protocol.js';
import type { Channel } from './channel.js';
import type { WorkerSessions } from './worker-sessions.js';

/** Longest wait for the infohash of a content. */
const LOOKUP_MS = 2000;

interface Lease {
  leased: LeasedEngine;
  /** Of the stream that uses the engine. */
  names: ContentNames;
}

interface Desk {
  leases: Map<number, Lease>;
  /** By id of the order. */
  waiting: Map<number, AbortController>;
}

export class EngineDesk {
  private readonly desks = new Map<number, Desk>();
  /** By names of a stream. */
  private readonly lookups = new WeakMap<ContentNames, Promise<void>>();
  private lastLease = 0;

  constructor(
    private readonly selector: EngineSelector,
    private readonly engines: EngineClients,
    private readonly sessions: WorkerSessions,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Serves a new process. */
  open(worker: number, channel: Channel): void {
    const desk: Desk = { leases: new Map(), waiting: new Map() };
    this.desks.set(worker, desk);
    channel.onQuestion(ASK_FRONT.select, (order: SelectOrder) => this.select(worker, desk, channel, order));
    channel.onQuestion(ASK_FRONT.release, (lease: number) => this.release(desk, lease));
    channel.onNotice(TO_FRONT.cancelSelect, (id: number) => desk.waiting.get(id)?.abort(new Error('the worker no longer waits')));
  }

  /** Stops what the process played, then releases its engines: nothing uses them any longer. `played`: its last sessions. */
  async close(worker: number, played: readonly SessionSnapshot[]): Promise<void> {
    const desk = this.desks.get(worker);
    if (desk === undefined) return;
    this.desks.delete(worker);
    for (const waiting of desk.waiting.values()) waiting.abort(new Error('the worker has ended'));
    await Promise.all(played.map((session) => this.stopPlayback(session)));
    await Promise.all([...desk.leases.keys()].map((lease) => this.release(desk, lease)));
  }

  private async select(
    worker: number,
    desk: Desk,
    channel: Channel,
    { id, standby, leftMs, ...order }: SelectOrder,
  ): Promise<GrantedEngine | RefusedEngine> {
    const abort = new AbortController();
    const kept = standby === null ? null : (desk.leases.get(standby)?.leased ?? null);
    const names = this.sessions.namesOf(worker, order.streamId, order.content);
    desk.waiting.set(id, abort);
    try {
      const leased = await this.selector.select({
        ...order,
        content: names,
        standby: kept,
        deadline: this.clock.now() + leftMs,
        signal: abort.signal,
        onNoneFree: () => {
          channel.notify(TO_WORKER.noneFree, id);
          return this.sessions.freeEngine(worker);
        },
      });
      if (leased === kept && standby !== null) return granted(standby, leased);
      const isElsewhere = !abort.signal.aborted && (await this.isPlayedElsewhere(desk, leased, names));
      if (isElsewhere) channel.notify(TO_WORKER.moveAway, order.streamId);
      if (isElsewhere || abort.signal.aborted) {
        await leased.release();
        return { kind: 'refused', reason: 'the stream no longer waits', retryAfterSeconds: 1 };
      }
      this.lastLease += 1;
      desk.leases.set(this.lastLease, { leased, names });
      return granted(this.lastLease, leased);
    } catch (error) {
      if (!(error instanceof NoEngineError)) throw error;
      return { kind: 'refused', reason: error.reason, retryAfterSeconds: error.retryAfterSeconds };
    } finally {
      desk.waiting.delete(id);
    }
  }

  private async release(desk: Desk, lease: number): Promise<void> {
    const held = desk.leases.get(lease);
    desk.leases.delete(lease);
    await held?.leased.release();
  }

  /**
   * Whether another worker plays the same content on this engine under another name: there, a second start ends the first one. A worker compares only
   * its own sessions.
   */
  private async isPlayedElsewhere(desk: Desk, { engineId, address }: LeasedEngine, names: ContentNames): Promise<boolean> {
    const others = [...this.desks.values()]
      .filter((other) => other !== desk)
      .flatMap(({ leases }) => [...leases.values()])
      .filter(({ leased }) => leased.engineId === engineId);
    if (others.length === 0) return false;
    await Promise.all([names, ...others.map((other) => other.names)].map((each) => this.lookedUp(each, address)));
    return names.infohash !== null && others.some((other) => other.names.infohash === names.infohash);
  }

  /** Asks for each content once. */
  private lookedUp(names: ContentNames, address: EngineAddress): Promise<void> {
    const lookup = this.lookups.get(names) ?? this.lookUp(names, address);
    this.lookups.set(names, lookup);
    return lookup;
  }

  private async lookUp(names: ContentNames, address: EngineAddress): Promise<void> {
    if (names.infohash !== null || names.keyType !== 'content_id') return;
    try {
      const content = { type: names.keyType, value: names.key };
      const { infohash } = await this.engines(address).describe(content, AbortSignal.timeout(LOOKUP_MS));
      names.infohash = infohash;
      if (infohash !== null) this.sessions.learn(names.key, infohash);
    } catch (error) {
      // The start shows what is wrong.
      this.log.debug('content lookup failed', { engine_id: `${address.host}:${address.port}`, key: names.key, error });
    }
  }

  /** The engine would otherwise keep the playback until it notices that nobody reads it. */
  private async stopPlayback({ streamId, engine, playback }: SessionSnapshot): Promise<void> {
    if (engine === null || playback === null) return;
    try {
      await this.engines(engine.address).stop(playback);
    } catch (error) {
      this.log.warn('engine stop failed', { stream_id: streamId, engine_id: engine.engineId, error });
    }
  }
}

function granted(lease: number, { engineId, containerId, address, leaseId, reason }: LeasedEngine): GrantedEngine {
  return { kind: 'granted', lease, engine: { engineId, containerId, ...address, leaseId, reason } };
}
