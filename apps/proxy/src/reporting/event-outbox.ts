/**
 * The events for an orchestrator that takes no reports: `stream_started` and `stream_ended`, in the order in which they happened, each sent until it is
 * taken. While the orchestrator is away they wait; when too many wait, those of streams that began and ended unseen go first.
 */
import type { StreamEndedEvent, StreamStartedEvent } from '@acexy/contracts';
import { type OrchestratorClient, OrchestratorError } from '@acexy/orchestrator-client';
import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import type { OrchestratorLink } from '../selection/orchestrator-link.js';

export type StreamEvent = { streamId: string } & (
  { kind: 'started'; event: StreamStartedEvent } | { kind: 'ended'; event: StreamEndedEvent }
);

const MAX_WAITING = 1000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** An event that the orchestrator refuses, rather than misses, is dropped after so many tries. */
const MAX_REFUSALS = 3;

export interface EventOutboxOptions {
  client: OrchestratorClient;
  link: OrchestratorLink;
  clock: Clock;
  log: Log;
  /** For jitter: 0 up to 1. */
  random: () => number;
}

export class EventOutbox {
  private readonly waiting: StreamEvent[] = [];
  private timer: unknown = null;
  private sending: Promise<void> | null = null;
  private delayMs = FIRST_DELAY_MS;
  private refusals = 0;
  private stopped = false;

  constructor(private readonly options: EventOutboxOptions) {}

  /** Events that have not been taken yet. */
  get size(): number {
    return this.waiting.length;
  }

  push(event: StreamEvent): void {
    this.waiting.push(event);
    if (this.waiting.length > MAX_WAITING) this.makeRoom();
    this.flush();
  }

  /** Sends what waits, once each, and ends. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) this.options.clock.clearTimeout(this.timer);
    this.timer = null;
    await this.sending;
    if (this.waiting.length > 0) await this.sendAll();
    if (this.waiting.length > 0) this.options.log.warn('events were not taken', { events: this.waiting.length });
  }

  private flush(): void {
    if (this.sending || this.timer !== null || this.stopped) return;
    this.sending = this.sendAll().finally(() => {
      this.sending = null;
      if (this.waiting.length > 0 && !this.stopped) this.retryLater();
    });
  }

  private retryLater(): void {
    const { clock, random } = this.options;
    const delay = this.delayMs * (0.5 + random() / 2);
    this.delayMs = Math.min(this.delayMs * 2, LONGEST_DELAY_MS);
    this.timer = clock.setTimeout(() => {
      this.timer = null;
      this.flush();
    }, delay);
  }

  private async sendAll(): Promise<void> {
    for (let next = this.waiting.at(0); next; next = this.waiting.at(0)) {
      if (!(await this.sendOne(next))) return;
      // Room may have been made while it was under way.
      if (this.waiting[0] === next) this.waiting.shift();
    }
  }

  /** Whether the event needs no further try. */
  private async sendOne(next: StreamEvent): Promise<boolean> {
    const { client, link, log } = this.options;
    try {
      if (next.kind === 'started') await client.streamStarted(next.event);
      else await client.streamEnded(next.event);
      link.succeeded('event');
    } catch (error) {
      if (!(error instanceof OrchestratorError)) {
        log.error('event failed', { stream_id: next.streamId, error });
        return true;
      }
      if (link.failed('event', error) === 'away') return false;
      this.refusals += 1;
      log.warn('event refused', { stream_id: next.streamId, event: next.kind, code: error.code, problem: error.message });
      if (this.refusals < MAX_REFUSALS) return false;
    }
    this.refusals = 0;
    this.delayMs = FIRST_DELAY_MS;
    return true;
  }

  /** Drops the oldest pair that tells of a stream from beginning to end; else the oldest event. The one under way stays first. */
  private makeRoom(): void {
    // A stream that has gone on from another engine has ended on one and started on the next.
    const last = new Map(this.waiting.map(({ streamId, kind }) => [streamId, kind]));
    const whole = this.waiting.find(({ kind, streamId }, index) => index > 0 && kind === 'started' && last.get(streamId) === 'ended');
    const before = this.waiting.length;
    if (whole) {
      const kept = this.waiting.filter(({ streamId }) => streamId !== whole.streamId);
      this.waiting.splice(0, before, ...kept);
    } else {
      this.waiting.splice(1, 1);
    }
    this.options.log.warn('too many events wait, some are dropped', { dropped: before - this.waiting.length });
  }
}
