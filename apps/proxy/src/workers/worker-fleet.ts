/** All workers of this proxy: starts them, watches them, and asks them what only they know. */
import type { Log } from '@acexy/service-kit';
import { counterOf, readGauge } from '@acexy/service-kit';
import type { Socket } from 'node:net';
import { type Clock, ListenerSet, OneShotTimer, within } from '@acexy/service-kit/primitives';
import { register } from 'prom-client';
import type { Channel } from './channel.js';
import type { EngineDesk } from './engine-desk.js';
import { ASK_WORKER, type WorkerStatus } from './protocol.js';
import type { Selector } from './route.policy.js';
import { type MetricSet, WorkerMetrics } from './worker-metrics.js';
import { type WorkerOwner, WorkerProcess } from './worker-process.js';
import type { WorkerSessions } from './worker-sessions.js';
import type { WorkerStarter } from './worker-starter.js';

const CHECK_EVERY_MS = 1000;
/** A check this much later than planned means that the front itself did not run in between. */
const LATE_MS = 3 * CHECK_EVERY_MS;
const ANSWER_LIMIT_MS = 2000;
/** After so many exits in a row before the first start is complete, the front gives up: its supervisor decides. */
const GIVE_UP_AFTER = 3;

export class WorkerFleet implements WorkerOwner {
  readonly workers: readonly WorkerProcess[];
  /** Connections that a worker gave back. */
  readonly returned = new ListenerSet<{ socket: Socket; head: Buffer; selector: Selector }>();
  private readonly metrics = new WorkerMetrics();
  private readonly restarts = counterOf('acexy_worker_restarts_total', 'Worker processes that ended and were started again');
  private readonly cleanups = new Set<Promise<void>>();
  private readonly watch: OneShotTimer;
  private checkedAt = 0;
  private stopping = false;
  private onAllReady: () => void = () => undefined;
  private onGiveUp: (error: Error) => void = () => undefined;

  constructor(
    count: number,
    private readonly starter: WorkerStarter,
    private readonly sessions: WorkerSessions,
    private readonly desk: EngineDesk,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.workers = Array.from({ length: count }, (_, index) => new WorkerProcess(index, () => starter.start(), this, clock, log));
    this.watch = new OneShotTimer(clock, () => this.check());
    readGauge('acexy_workers', 'Worker processes that are ready', [], (set) => set(this.workers.filter(({ isReady }) => isReady).length));
  }

  /** Resolves when every worker is ready. @throws Error when a worker cannot start */
  async start(): Promise<void> {
    const started = new Promise<void>((resolve, reject) => {
      this.onAllReady = resolve;
      this.onGiveUp = reject;
    });
    for (const worker of this.workers) worker.start();
    this.checkedAt = this.clock.now();
    this.watch.set(CHECK_EVERY_MS);
    await started;
    this.onGiveUp = () => undefined;
  }

  /** Lets all workers shut down in order, and kills those that take longer than `limitMs`. */
  async stop(limitMs: number): Promise<void> {
    this.stopping = true;
    this.watch.clear();
    this.starter.stop();
    await Promise.all(this.workers.map((worker) => worker.stop(limitMs)));
    await Promise.all(this.cleanups);
  }

  /** What every session does now. For a worker that does not answer in time, what it last told. */
  async status(): Promise<WorkerStatus[]> {
    const answers = await this.ask<WorkerStatus>(ASK_WORKER.status);
    return answers.map(
      (answer, worker) => answer ?? { sessions: this.sessions.of(worker).map((snapshot) => ({ snapshot, hls: null })), buffers: null },
    );
  }

  /** The metrics of all processes, in the text format of Prometheus. */
  async metricsText(): Promise<string> {
    for (const [worker, answer] of (await this.ask<MetricSet>(ASK_WORKER.metrics)).entries())
      if (answer !== null) this.metrics.answered(worker, answer);
    return this.metrics.merged((await register.getMetricsAsJSON()) as unknown as MetricSet).metrics();
  }

  onStart({ index }: WorkerProcess, channel: Channel): void {
    this.sessions.open(index, channel);
    this.desk.open(index, channel);
  }

  onReady({ index, pid }: WorkerProcess): void {
    this.log.info('worker ready', { worker: index, pid });
    if (this.stopping || !this.workers.every(({ isReady }) => isReady)) return;
    this.onAllReady();
    this.starter.prepare();
  }

  onReturn(socket: Socket, head: Buffer, selector: Selector): void {
    this.returned.emit({ socket, head, selector });
  }

  onExit({ index }: WorkerProcess, failures: number): void {
    if (!this.stopping) this.restarts.inc();
    const cleanup = this.cleanUp(index).finally(() => this.cleanups.delete(cleanup));
    this.cleanups.add(cleanup);
    if (failures >= GIVE_UP_AFTER)
      this.onGiveUp(new Error(`worker ${index} ended ${failures} times before it was ready: its log says why`));
  }

  private async cleanUp(worker: number): Promise<void> {
    try {
      await this.desk.close(worker, this.sessions.close(worker));
      await this.metrics.exited(worker);
    } catch (error) {
      this.log.error('worker cleanup failed', { worker, error });
    }
  }

  /** The answer of each worker; null if it gave none in time. */
  private ask<T>(topic: string): Promise<(T | null)[]> {
    const late = (): Error => new Error('no answer in time');
    return Promise.all(
      this.workers.map(async ({ index, channel, isReady }) => {
        if (channel === null || !isReady) return null;
        try {
          return await within(this.clock, channel.ask<T>(topic), ANSWER_LIMIT_MS, late, new AbortController().signal);
        } catch (error) {
          this.log.warn('worker gave no answer', { worker: index, topic, error });
          return null;
        }
      }),
    );
  }

  private check(): void {
    const now = this.clock.now();
    const late = now - this.checkedAt > LATE_MS;
    this.checkedAt = now;
    for (const worker of this.workers) worker.check(late);
    this.watch.set(CHECK_EVERY_MS);
  }
}
