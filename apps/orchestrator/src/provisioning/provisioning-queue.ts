/**
 * Lets work through a few at a time and never in bursts: at most `maxConcurrent` tasks run, their starts are at least `minIntervalMs`
 * apart, and each has one limit for waiting and running together. Those who wait are served in order, the lanes in turn, so that a
 * pool being refilled does not hold up a caller of the API.
 */
import type { Clock } from '@acexy/service-kit/primitives';

export interface ProvisioningQueueLimits {
  maxConcurrent: number;
  minIntervalMs: number;
  /** How many may wait. */
  maxWaiting: number;
  /** From the call until the end of the task. */
  timeoutMs: number;
}

export class QueueFullError extends Error {
  readonly code = 'queue_full';

  constructor(readonly waiting: number) {
    super(`${waiting} provisions are waiting already`);
    this.name = 'QueueFullError';
  }
}

/** Its turn would come later than its caller waits for. */
export class QueueTooLongError extends Error {
  readonly code = 'queue_too_long';

  /** @param shorterInMs when the queue will have become short enough */
  constructor(
    waiting: number,
    waitMs: number,
    readonly shorterInMs: number,
  ) {
    super(`${waiting} provisions are waiting already, its turn would come in about ${Math.ceil(waitMs / 1000)} s`);
    this.name = 'QueueTooLongError';
  }
}

/** Called off before its turn, because nobody needs it any more. */
export class QueueRevokedError extends Error {
  readonly code = 'queue_revoked';

  constructor() {
    super('called off: nobody needs it any more');
    this.name = 'QueueRevokedError';
  }
}

export class QueueTimeoutError extends Error {
  readonly code = 'queue_timeout';

  constructor(
    readonly phase: 'waiting' | 'running',
    timeoutMs: number,
  ) {
    super(phase === 'waiting' ? `no turn within ${timeoutMs / 1000} s` : `not done within ${timeoutMs / 1000} s`);
    this.name = 'QueueTimeoutError';
  }
}

export class QueueClosedError extends Error {
  readonly code = 'queue_closed';

  constructor() {
    super('the service is shutting down');
    this.name = 'QueueClosedError';
  }
}

/** Weight of the newest task in the time that a task is expected to take. */
const TASK_WEIGHT = 0.3;

interface Waiting {
  start(): void;
  reject(error: Error): void;
}

export class ProvisioningQueue<Lane extends string> {
  private readonly lanes = new Map<Lane, Waiting[]>();
  private readonly running = new Map<AbortController, Promise<void>>();
  /** The lane served last; the next turn belongs to another one, where one waits. */
  private lastLane: Lane | null = null;
  private lastStartAt = -Infinity;
  private pacing: NodeJS.Timeout | null = null;
  private closed = false;
  /** How long a task takes, smoothed; null before the first has ended. */
  private taskMs: number | null = null;

  constructor(
    private readonly limits: ProvisioningQueueLimits,
    private readonly clock: Clock,
  ) {}

  get inProgress(): number {
    return this.running.size;
  }

  get waiting(): number {
    let sum = 0;
    for (const lane of this.lanes.values()) sum += lane.length;
    return sum;
  }

  waitingIn(lane: Lane): number {
    return this.lane(lane).length;
  }

  /**
   * Runs `task`, an async function, when its turn comes. Past the limit, or at `close`, the caller is told at once and the task's signal is aborted; its
   * place among the running ones is free only when the task itself has ended.
   * @param patienceMs one whose turn is expected later is refused at once
   * @throws QueueFullError, QueueTooLongError, QueueRevokedError, QueueTimeoutError, QueueClosedError, or what the task throws
   */
  run<T>(lane: Lane, task: (signal: AbortSignal) => Promise<T>, patienceMs = this.limits.timeoutMs): Promise<T> {
    if (this.closed) return Promise.reject(new QueueClosedError());
    const waiting = this.waiting;
    if (waiting >= this.limits.maxWaiting) return Promise.reject(new QueueFullError(waiting));
    const waitMs = this.expectedWaitMs(lane);
    if (waitMs > patienceMs) return Promise.reject(new QueueTooLongError(waiting, waitMs, waitMs - patienceMs));
    return new Promise<T>((resolve, reject) => {
      const controller = new AbortController();
      let started = false;
      const entry: Waiting = {
        start: () => {
          started = true;
          const startedAt = this.clock.now();
          controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error), { once: true });
          const work = task(controller.signal)
            .finally(() => {
              clearTimeout(limit);
              this.learn(this.clock.now() - startedAt);
              // Before the caller hears of it, so that its next call finds the place free.
              this.running.delete(controller);
            })
            .then(resolve, reject)
            .finally(() => this.pump());
          this.running.set(controller, work);
        },
        reject: (error) => {
          clearTimeout(limit);
          reject(error);
        },
      };
      const limit = setTimeout(() => {
        if (started) return controller.abort(new QueueTimeoutError('running', this.limits.timeoutMs));
        this.forget(lane, entry);
        entry.reject(new QueueTimeoutError('waiting', this.limits.timeoutMs));
      }, this.limits.timeoutMs);
      this.lane(lane).push(entry);
      this.pump();
    });
  }

  /** When the turn of one that came now would be, in milliseconds, as far as the tasks so far tell. */
  expectedWaitMs(lane: Lane): number {
    const own = this.lane(lane).length;
    // The lanes are served in turn: of each other one as many come before as of its own.
    let ahead = own;
    for (const [name, entries] of this.lanes) if (name !== lane) ahead += Math.min(entries.length, own + 1);
    const { maxConcurrent, minIntervalMs } = this.limits;
    const paced = Math.max(0, this.lastStartAt + minIntervalMs - this.clock.now()) + ahead * minIntervalMs;
    const rounds = Math.ceil((ahead + 1 - (maxConcurrent - this.running.size)) / maxConcurrent);
    return Math.max(paced, rounds * (this.taskMs ?? 0));
  }

  /** Calls off what came last of those that wait in a lane. @returns how many were called off */
  revoke(lane: Lane, count: number): number {
    const entries = this.lane(lane);
    const revoked = entries.splice(Math.max(0, entries.length - count));
    for (const entry of revoked) entry.reject(new QueueRevokedError());
    return revoked.length;
  }

  /** Refuses what waits, aborts what runs, and resolves when all of it has ended. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.pacing) clearTimeout(this.pacing);
    this.pacing = null;
    for (const lane of this.lanes.values()) for (const entry of lane.splice(0)) entry.reject(new QueueClosedError());
    for (const controller of this.running.keys()) controller.abort(new QueueClosedError());
    await Promise.all(this.running.values());
  }

  private pump(): void {
    while (!this.closed && this.pacing === null && this.running.size < this.limits.maxConcurrent) {
      if (this.waiting === 0) return;
      const pauseMs = this.lastStartAt + this.limits.minIntervalMs - this.clock.now();
      if (pauseMs > 0) {
        this.pacing = setTimeout(() => {
          this.pacing = null;
          this.pump();
        }, Math.ceil(pauseMs));
        return;
      }
      this.lastStartAt = this.clock.now();
      this.next()?.start();
    }
  }

  private next(): Waiting | undefined {
    const names = [...this.lanes.keys()].filter((name) => this.lane(name).length > 0);
    const name = names.find((candidate) => candidate !== this.lastLane) ?? names[0];
    this.lastLane = name;
    return this.lane(name).shift();
  }

  private learn(taskMs: number): void {
    this.taskMs = this.taskMs === null ? taskMs : this.taskMs + TASK_WEIGHT * (taskMs - this.taskMs);
  }

  private lane(name: Lane): Waiting[] {
    let entries = this.lanes.get(name);
    if (!entries) this.lanes.set(name, (entries = []));
    return entries;
  }

  private forget(lane: Lane, entry: Waiting): void {
    const entries = this.lane(lane);
    entries.splice(entries.indexOf(entry), 1);
  }
}
