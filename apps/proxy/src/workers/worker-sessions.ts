/** The sessions of all workers, as the front knows them: for reports, for routing, and to free an engine in one worker for another. */
import type { LeaveOrder } from '@acexy/contracts';
import type { Log } from '@acexy/service-kit';
import { BoundedMap, type Clock, ListenerSet } from '@acexy/service-kit/primitives';
import type { ContentNames } from '../selection/engine-selector.js';
import { SessionDirectory } from '../sessions/session-directory.js';
import type { SessionEvent } from '../sessions/session-events.js';
import type { SessionSnapshot } from '../sessions/session-snapshot.js';
import { isOpen } from '../sessions/session-state.js';
import type { Channel } from './channel.js';
import { type EndedNotice, TO_FRONT, TO_WORKER } from './protocol.js';
import { type OwnedSession, type WorkerRoute, ownerOf, streamThatMoves } from './route.policy.js';

/** Content ids whose infohash is remembered. */
const MAX_KNOWN_IDS = 10_000;

interface WorkerView {
  channel: Channel;
  sessions: readonly SessionSnapshot[];
  /** By stream id: the names that selectors and reservations hold. A stream that waits for its first engine is not among the sessions yet. */
  names: Map<string, ContentNames>;
  /** The number of viewers elsewhere that it knows. */
  viewersElsewhere: number;
}

export class WorkerSessions extends SessionDirectory {
  readonly events: ListenerSet<SessionEvent>;
  /** Why new viewers are rejected; null: they are not. */
  rejecting: string | null = 'the workers are starting';
  /** By index: the processes that run. */
  private readonly workers = new Map<number, WorkerView>();
  private readonly infohashes = new BoundedMap<string, string>(MAX_KNOWN_IDS);

  constructor(
    private readonly count: number,
    private readonly clock: Clock,
    log: Log,
  ) {
    super();
    this.events = new ListenerSet((error) => log.error('session event not handled', { error }));
  }

  /** A new process, which has no sessions yet. */
  open(worker: number, channel: Channel): void {
    this.workers.set(worker, { channel, sessions: [], names: new Map(), viewersElsewhere: 0 });
    channel.onNotice(TO_FRONT.sessions, (sessions: SessionSnapshot[]) => this.take(worker, sessions));
    channel.onNotice(TO_FRONT.ended, (ended: EndedNotice) => this.end(worker, ended));
  }

  /** The process has ended. @returns the sessions that it had */
  close(worker: number): readonly SessionSnapshot[] {
    const sessions = this.of(worker);
    for (const { streamId } of sessions)
      this.end(worker, { streamId, end: { cause: 'worker-exited', reason: 'its worker process exited', at: this.clock.iso() } });
    this.workers.delete(worker);
    this.events.emit({ type: 'changed' });
    this.tellViewers();
    return sessions;
  }

  /** The sessions of one worker, without what changes all the time. */
  of(worker: number): readonly SessionSnapshot[] {
    return this.workers.get(worker)?.sessions ?? [];
  }

  snapshots(): SessionSnapshot[] {
    return [...this.workers.values()].flatMap(({ sessions }) => sessions);
  }

  leaveEngine(order: LeaveOrder): void {
    this.tellAll(TO_WORKER.leaveEngine, order);
  }

  /** @returns the number of sessions that end */
  endLingering(count: number): number {
    let left = count;
    for (const { channel, sessions } of this.workers.values()) {
      const here = Math.min(left, sessions.filter(({ state }) => state === 'lingering').length);
      if (here > 0) channel.notify(TO_WORKER.endLingering, here);
      left -= here;
    }
    return count - left;
  }

  /** A session of `worker` needs an engine, and none is free. The worker frees one of its own if it can. @returns whether one becomes free */
  freeEngine(worker: number): boolean {
    const own = this.workers.get(worker);
    if (own?.sessions.some(canFree)) return true;
    const other = [...this.workers.values()].find((view) => view !== own && view.sessions.some(canFree));
    other?.channel.notify(TO_WORKER.freeEngine);
    return other !== undefined;
  }

  /** The names of the content of a stream; the same object for every call, so that selectors see the infohash as soon as it is known. */
  namesOf(worker: number, streamId: string, content: ContentNames): ContentNames {
    const known = this.workers.get(worker)?.names;
    const names = known?.get(streamId) ?? { ...content };
    names.infohash ??= content.infohash;
    known?.set(streamId, names);
    return names;
  }

  /** An engine told the infohash of a content id. */
  learn(contentId: string, infohash: string): void {
    this.infohashes.set(contentId, infohash);
  }

  /** Index of the worker that serves a request. */
  ownerOf(route: WorkerRoute): number {
    return ownerOf(route, this.count, this.owned(), (id) => this.infohashes.get(id) ?? null);
  }

  private take(worker: number, sessions: readonly SessionSnapshot[]): void {
    const view = this.workers.get(worker);
    if (view === undefined) return;
    view.sessions = sessions;
    for (const { streamId, keyType, key, infohash } of sessions) {
      if (infohash === null) continue;
      if (keyType === 'content_id') this.infohashes.set(key, infohash);
      const names = view.names.get(streamId);
      if (names !== undefined) names.infohash = infohash;
    }
    this.moveDuplicates(worker);
    this.events.emit({ type: 'changed' });
    this.tellViewers();
  }

  /** Two sessions turned out to be one content: one of them moves to the worker of the other. */
  private moveDuplicates(worker: number): void {
    const all = [...this.owned()];
    for (const own of all.filter((session) => session.worker === worker && session.infohash !== null)) {
      const moving = all.map((other) => streamThatMoves(own, other, this.count)).find((found) => found !== null);
      if (moving) this.workers.get(moving.worker)?.channel.notify(TO_WORKER.moveAway, moving.streamId);
    }
  }

  private end(worker: number, { streamId, end }: EndedNotice): void {
    const view = this.workers.get(worker);
    if (view !== undefined) view.sessions = view.sessions.filter((session) => session.streamId !== streamId);
    view?.names.delete(streamId);
    this.events.emit({ type: 'ended', streamId, end, bytesIn: 0 });
  }

  /** Each worker compares the limit of viewers with its own viewers and those of the others. */
  private tellViewers(): void {
    const viewersOf = (sessions: readonly SessionSnapshot[]): number => sessions.reduce((sum, { viewers }) => sum + viewers, 0);
    const all = viewersOf(this.snapshots());
    for (const view of this.workers.values()) {
      const elsewhere = all - viewersOf(view.sessions);
      if (elsewhere !== view.viewersElsewhere) view.channel.notify(TO_WORKER.viewersElsewhere, elsewhere);
      view.viewersElsewhere = elsewhere;
    }
  }

  private tellAll(topic: string, body: unknown): void {
    for (const { channel } of this.workers.values()) channel.notify(topic, body);
  }

  private *owned(): Generator<OwnedSession> {
    for (const [worker, { sessions }] of this.workers)
      for (const { streamId, keyType, key, infohash, state } of sessions)
        if (isOpen(state)) yield { worker, streamId, keyType, key, infohash, isStarting: state === 'starting' };
  }
}

/** The session can give up an engine without a loss for viewers, or is about to. */
function canFree({ state, engine, standbyEngine }: SessionSnapshot): boolean {
  return standbyEngine !== null || (engine !== null && (state === 'lingering' || state === 'stopping'));
}
