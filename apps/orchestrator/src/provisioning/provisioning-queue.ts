/**
 * Lets work through a few at a time and never in bursts: at most `maxConcurrent` tasks run, their starts are at least `minIntervalMs`
 * apart, and each has one limit for waiting and running together. Those who wait are served in order, the lanes in turn, so that a
 * pool being refilled does not hold up a caller of the API.
 */
import type { Clock } from '../clock.js';

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
   * @throws QueueFullError, QueueTimeoutError, QueueClosedError, or what the task throws
   */
  run<T>(lane: Lane, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.closed) return Promise.reject(new QueueClosedError());
    const waiting = this.waiting;
    if (waiting >= this.limits.maxWaiting) return Promise.reject(new QueueFullError(waiting));
    return new Promise<T>((resolve, reject) => {
      const controller = new AbortController();
      let started = false;
      const entry: Waiting = {
        start: () => {
          started = true;
          controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error), { once: true });
          const work = task(controller.signal)
            .finally(() => {
              clearTimeout(limit);
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
      const pauseMs = this.lastStartAt + this.limits.minIntervalMs - this.clock.monotonic();
      if (pauseMs > 0) {
        this.pacing = setTimeout(() => {
          this.pacing = null;
          this.pump();
        }, Math.ceil(pauseMs));
        return;
      }
      this.lastStartAt = this.clock.monotonic();
      this.next()?.start();
    }
  }

  private next(): Waiting | undefined {
    const names = [...this.lanes.keys()].filter((name) => this.lane(name).length > 0);
    const name = names.find((candidate) => candidate !== this.lastLane) ?? names[0];
    this.lastLane = name;
    return this.lane(name).shift();
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
