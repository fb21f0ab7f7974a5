/**
 * Events for an orchestrator that accepts no reports: `stream_started` and `stream_ended`, in order, each repeated until it is accepted. They wait while
 * the orchestrator is unreachable. When too many wait, streams that started and ended meanwhile are dropped first.
 */
import type { StreamEndedEvent, StreamStartedEvent } from '@acexy/contracts';
import { OrchestratorError } from '@acexy/orchestrator-client';
import { OneShotTimer, backoffMs, withJitter } from '@acexy/service-kit/primitives';
import type { OrchestratorContext } from '../selection/injection-tokens.js';

export type StreamEvent = { streamId: string } & (
  { kind: 'started'; event: StreamStartedEvent } | { kind: 'ended'; event: StreamEndedEvent }
);

const MAX_WAITING = 1000;
const RETRY = { firstMs: 500, longestMs: 30_000 };
/** An event that the orchestrator refuses is dropped after this many attempts. */
const MAX_REFUSALS = 3;

export class EventOutbox {
  private readonly waiting: StreamEvent[] = [];
  private readonly retry: OneShotTimer;
  private retrying = false;
  private sending: Promise<void> | null = null;
  private failures = 0;
  private refusals = 0;
  private stopped = false;

  constructor(private readonly orchestrator: OrchestratorContext) {
    this.retry = new OneShotTimer(orchestrator.clock, () => {
      this.retrying = false;
      this.flush();
    });
  }

  /** Events that are not accepted yet. */
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
    this.retry.clear();
    await this.sending;
    if (this.waiting.length > 0) await this.sendAll();
    if (this.waiting.length > 0) this.orchestrator.log.warn('events not sent', { events: this.waiting.length });
  }

  private flush(): void {
    if (this.sending || this.retrying || this.stopped) return;
    this.sending = this.sendAll().finally(() => {
      this.sending = null;
      if (this.waiting.length === 0 || this.stopped) return;
      this.retrying = true;
      this.failures += 1;
      this.retry.set(withJitter(backoffMs(this.failures, RETRY), this.orchestrator.random));
    });
  }

  private async sendAll(): Promise<void> {
    for (let next = this.waiting.at(0); next; next = this.waiting.at(0)) {
      if (!(await this.sendOne(next))) return;
      // makeRoom() may have removed it meanwhile.
      if (this.waiting[0] === next) this.waiting.shift();
    }
  }

  /** Returns false when the event has to be sent again. */
  private async sendOne(next: StreamEvent): Promise<boolean> {
    const { client, link, log } = this.orchestrator;
    try {
      if (next.kind === 'started') await client.streamStarted(next.event);
      else await client.streamEnded(next.event);
      link.succeeded('event');
    } catch (error) {
      if (!(error instanceof OrchestratorError)) {
        log.error('event sending failed', { stream_id: next.streamId, error });
        return true;
      }
      if (link.failed('event', error) === 'unreachable') return false;
      this.refusals += 1;
      log.warn('event refused', { stream_id: next.streamId, event: next.kind, code: error.code, error: error.message });
      if (this.refusals < MAX_REFUSALS) return false;
    }
    this.refusals = 0;
    this.failures = 0;
    return true;
  }

  /** Drops the oldest stream whose start and end both wait, else the oldest event; never the one that is being sent. */
  private makeRoom(): void {
    // A stream that failed over has ended on one engine and started on the next.
    const last = new Map(this.waiting.map(({ streamId, kind }) => [streamId, kind]));
    const whole = this.waiting.find(({ kind, streamId }, index) => index > 0 && kind === 'started' && last.get(streamId) === 'ended');
    const before = this.waiting.length;
    if (whole) this.waiting.splice(0, before, ...this.waiting.filter(({ streamId }) => streamId !== whole.streamId));
    else this.waiting.splice(1, 1);
    this.orchestrator.log.warn('event queue full, events dropped', { dropped: before - this.waiting.length });
  }
}
