import type { Log } from '@acexy/service-kit';
import { backoffMs, ListenerSet, pause, SystemClock } from '@acexy/service-kit/primitives';
import type Docker from 'dockerode';
import type { Readable } from 'node:stream';
import type { RuntimeEvent } from '../engine-runtime.js';
import { parseDockerEvent } from './docker-event.js';
import { dockerLines } from './docker-lines.js';

/** One connection attempt per second is cheap, and a restarted daemon is found at once. */
const RETRY = { firstMs: 100, longestMs: 1_000 };

/** The container events we subscribe to. */
const ACTIONS = ['create', 'start', 'die', 'destroy', 'pause', 'unpause', 'rename'] as const;

/**
 * One subscription to Docker's events for all engines. It is renewed until `close`. Events may be missed between two subscriptions, so each
 * one begins and ends with `lost`.
 */
export class DockerEvents {
  private readonly listeners = new ListenerSet<RuntimeEvent>((error) => this.log.error('runtime event listener failed', { error }));
  private readonly closed = new AbortController();
  private readonly clock = new SystemClock();
  private running: Promise<void> | null = null;

  constructor(
    private readonly docker: Docker,
    /** Docker's filters that select the containers. */
    private readonly containers: Readonly<Record<string, string[]>>,
    private readonly log: Log,
    private readonly actions: readonly string[] = ACTIONS,
  ) {}

  watch(listener: (event: RuntimeEvent) => void): () => void {
    this.running ??= this.keepSubscribed();
    return this.listeners.subscribe(listener);
  }

  /** Also for events of the runtime itself. */
  emit(event: RuntimeEvent): void {
    this.listeners.emit(event);
  }

  async close(): Promise<void> {
    this.closed.abort();
    await this.running;
  }

  private async keepSubscribed(): Promise<void> {
    const { signal } = this.closed;
    let failures = 0;
    let subscribed = true;
    while (!signal.aborted) {
      try {
        await this.readEvents(() => {
          if (!subscribed) this.log.info('Docker event subscription restored');
          subscribed = true;
          failures = 0;
        });
        if (signal.aborted) return;
        this.log.warn('Docker event stream ended');
      } catch (error) {
        if (signal.aborted) return;
        this.log[subscribed ? 'warn' : 'debug']('Docker event subscription failed', { error: (error as Error).message });
        subscribed = false;
      }
      failures += 1;
      await pause(this.clock, backoffMs(failures, RETRY), signal);
    }
  }

  private async readEvents(onSubscribed: () => void): Promise<void> {
    const { signal } = this.closed;
    const reply = (await this.docker.getEvents({
      filters: { type: ['container'], event: [...this.actions], ...this.containers },
      abortSignal: signal,
    })) as Readable;
    onSubscribed();
    this.emit({ type: 'lost' });
    try {
      for await (const line of dockerLines(reply)) {
        const event = parseDockerEvent(line);
        if (event) this.emit(event);
      }
    } finally {
      // A listener that lists the engines now sees that Docker is unreachable.
      if (!signal.aborted) this.emit({ type: 'lost' });
    }
  }
}
