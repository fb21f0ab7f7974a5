/**
 * Limits starts: at most `maxConcurrent` run, they begin at least `minIntervalMs` apart, and each has one time limit for waiting and running
 * together. Each origin has its own queue, and the queues are served round-robin: starts of the autoscaler do not delay callers of the API.
 */
import { type Clock, CodedError } from '@acexy/service-kit/primitives';

export interface ProvisioningQueueLimits {
  maxConcurrent: number;
  minIntervalMs: number;
  maxWaiting: number;
  /** From the request until the end of the start. */
  timeoutMs: number;
}

export class QueueError extends CodedError {
  /** @param shorterInMs of `queue_too_long`: when the queue will be short enough */
  constructor(
    readonly code: 'queue_full' | 'queue_too_long' | 'queue_timeout' | 'start_timeout' | 'queue_revoked' | 'queue_closed',
    message: string,
    readonly shorterInMs?: number,
  ) {
    super(message);
  }

  /** The queue is too long now, so a later request may succeed. */
  get waitHelps(): boolean {
    return ['queue_full', 'queue_too_long', 'queue_timeout'].includes(this.code);
  }
}

/** Weight of the newest start in the expected duration of a start. */
const NEWEST_WEIGHT = 0.3;

interface Waiting {
  controller: AbortController;
  start(): void;
}

export class ProvisioningQueue<Origin extends string> {
  /** By origin; the one served last comes last. */
  private readonly queues: Map<Origin, Waiting[]>;
  private readonly running = new Map<AbortController, Promise<void>>();
  private lastStartAt = -Infinity;
  private pacing: unknown = null;
  private closed = false;
  /** Moving average of the duration of a start; null before the first one has ended. */
  private startMs: number | null = null;

  constructor(
    origins: readonly Origin[],
    private readonly limits: ProvisioningQueueLimits,
    private readonly clock: Clock,
  ) {
    this.queues = new Map(origins.map((origin) => [origin, []]));
  }

  get inProgress(): number {
    return this.running.size;
  }

  get waiting(): number {
    let sum = 0;
    for (const queue of this.queues.values()) sum += queue.length;
    return sum;
  }

  waitingFrom(origin: Origin): number {
    return this.queueOf(origin).length;
  }

  /**
   * Runs `start` when its turn comes. At its time limit, and at `close`, the caller gets an error at once and the signal aborts; the start
   * still counts as running until it has ended.
   * @param patienceMs a request that would wait longer is rejected at once
   * @throws QueueError, or what `start` throws
   */
  run<T>(origin: Origin, start: (signal: AbortSignal) => Promise<T>, patienceMs = this.limits.timeoutMs): Promise<T> {
    const rejection = this.rejection(origin, patienceMs);
    if (rejection) return Promise.reject(rejection);
    return new Promise<T>((resolve, reject) => {
      const controller = new AbortController();
      const { signal } = controller;
      const { timeoutMs } = this.limits;
      const timer = this.clock.setTimeout(() => controller.abort(timeoutError(this.running.has(controller), timeoutMs)), timeoutMs);
      const entry: Waiting = {
        controller,
        start: () => {
          const startedAt = this.clock.now();
          const running = start(signal)
            .finally(() => {
              this.clock.clearTimeout(timer);
              this.learn(this.clock.now() - startedAt);
              // Before the caller continues, so that its next request can use the free place.
              this.running.delete(controller);
            })
            .then(resolve, reject)
            .finally(() => this.startNext());
          this.running.set(controller, running);
        },
      };
      const queue = this.queueOf(origin);
      signal.addEventListener('abort', () => {
        this.clock.clearTimeout(timer);
        const index = queue.indexOf(entry);
        if (index >= 0) queue.splice(index, 1);
        reject(signal.reason as Error);
      });
      queue.push(entry);
      this.startNext();
    });
  }

  /** Expected wait of a new request, in milliseconds. */
  expectedWaitMs(origin: Origin): number {
    const own = this.waitingFrom(origin);
    // Round-robin: before this request every other queue is served at most once more than its own queue.
    let ahead = own;
    for (const [name, queue] of this.queues) if (name !== origin) ahead += Math.min(queue.length, own + 1);
    const { maxConcurrent, minIntervalMs } = this.limits;
    const paced = Math.max(0, this.lastStartAt + minIntervalMs - this.clock.now()) + ahead * minIntervalMs;
    const rounds = Math.ceil((ahead + 1 - (maxConcurrent - this.running.size)) / maxConcurrent);
    return Math.max(paced, rounds * (this.startMs ?? 0));
  }

  /** Revokes the newest waiting requests of an origin. @returns the number revoked */
  revoke(origin: Origin, count: number): number {
    const queue = this.queueOf(origin);
    const revoked = queue.splice(Math.max(0, queue.length - count));
    for (const { controller } of revoked) controller.abort(new QueueError('queue_revoked', 'the start is no longer needed'));
    return revoked.length;
  }

  /** Rejects what waits, aborts what runs, and resolves when everything has ended. */
  async close(): Promise<void> {
    this.closed = true;
    this.clock.clearTimeout(this.pacing);
    this.pacing = null;
    const waiting = [...this.queues.values()].flatMap((queue) => queue.splice(0).map(({ controller }) => controller));
    for (const controller of [...waiting, ...this.running.keys()]) controller.abort(closedError());
    await Promise.all(this.running.values());
  }

  private rejection(origin: Origin, patienceMs: number): QueueError | null {
    if (this.closed) return closedError();
    const { waiting } = this;
    if (waiting >= this.limits.maxWaiting) return new QueueError('queue_full', `the queue is full with ${waiting} starts; retry later`);
    const waitMs = this.expectedWaitMs(origin);
    if (waitMs <= patienceMs) return null;
    const message = `${waiting} starts are waiting, a new one would wait about ${Math.ceil(waitMs / 1000)} s; retry later`;
    return new QueueError('queue_too_long', message, waitMs - patienceMs);
  }

  private startNext(): void {
    while (!this.closed && this.pacing === null && this.running.size < this.limits.maxConcurrent && this.waiting > 0) {
      const delayMs = this.lastStartAt + this.limits.minIntervalMs - this.clock.now();
      if (delayMs > 0) {
        this.pacing = this.clock.setTimeout(() => {
          this.pacing = null;
          this.startNext();
        }, Math.ceil(delayMs));
        return;
      }
      this.lastStartAt = this.clock.now();
      this.takeNext()?.start();
    }
  }

  private takeNext(): Waiting | undefined {
    for (const [origin, queue] of this.queues) {
      if (queue.length === 0) continue;
      this.queues.delete(origin);
      this.queues.set(origin, queue);
      return queue.shift();
    }
    return undefined;
  }

  private learn(ms: number): void {
    this.startMs = this.startMs === null ? ms : this.startMs + NEWEST_WEIGHT * (ms - this.startMs);
  }

  private queueOf(origin: Origin): Waiting[] {
    return this.queues.get(origin) as Waiting[];
  }
}

function timeoutError(isRunning: boolean, limitMs: number): QueueError {
  const limit = `${limitMs / 1000} s`;
  return isRunning
    ? new QueueError('start_timeout', `the start did not finish within ${limit} (PROVISION_TIMEOUT_S): check the container runtime`)
    : new QueueError('queue_timeout', `this start waited ${limit} in the queue; retry later, or raise MAX_CONCURRENT_PROVISIONS`);
}

function closedError(): QueueError {
  return new QueueError('queue_closed', 'the service is shutting down');
}
