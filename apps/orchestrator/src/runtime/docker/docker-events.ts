import type { Log } from '@acexy/service-kit';
import type Docker from 'dockerode';
import { createInterface } from 'node:readline';
import type { RuntimeEvent } from '../engine-runtime.js';

const FIRST_DELAY_MS = 100;
/** One connection a second costs nothing, and a daemon that is back is noticed. */
const LONGEST_DELAY_MS = 1_000;

/** What Docker tells of a container, as far as we listen. */
const ACTIONS = ['start', 'die', 'destroy', 'pause', 'unpause', 'rename'] as const;

/**
 * One subscription to Docker's events for all engines, on connections of its own, kept up for as long as the runtime is open.
 * Whenever it begins anew something may have been missed, and `lost` says so.
 */
export class DockerEvents {
  private readonly listeners = new Set<(event: RuntimeEvent) => void>();
  private readonly closed = new AbortController();
  private running: Promise<void> | null = null;

  constructor(
    private readonly docker: Docker,
    /** Which containers, in the words of Docker's filters. */
    private readonly containers: Readonly<Record<string, string[]>>,
    private readonly log: Log,
    private readonly actions: readonly string[] = ACTIONS,
  ) {}

  watch(listener: (event: RuntimeEvent) => void): () => void {
    this.listeners.add(listener);
    this.running ??= this.keepListening();
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.closed.abort();
    await this.running;
    this.listeners.clear();
  }

  private async keepListening(): Promise<void> {
    const { signal } = this.closed;
    let delay = FIRST_DELAY_MS;
    let told = false;
    while (!signal.aborted) {
      try {
        await this.listen(() => {
          if (told) this.log.info('Docker sends events again');
          told = false;
          delay = FIRST_DELAY_MS;
        });
        if (signal.aborted) return;
        this.log.warn('the event stream of Docker ended, subscribing again');
      } catch (error) {
        if (signal.aborted) return;
        this.log[told ? 'debug' : 'warn']('no events from Docker, trying until it answers', { reason: (error as Error).message });
        told = true;
      }
      await pause(delay, signal);
      delay = Math.min(delay * 2, LONGEST_DELAY_MS);
    }
  }

  private async listen(onOpen: () => void): Promise<void> {
    const { signal } = this.closed;
    const stream = (await this.docker.getEvents({
      filters: { type: ['container'], event: [...this.actions], ...this.containers },
      abortSignal: signal,
    })) as NodeJS.ReadableStream;
    onOpen();
    this.emit({ type: 'lost' });
    try {
      for await (const line of createInterface({ input: stream })) {
        const event = toEvent(line);
        if (event) this.emit(event);
      }
    } finally {
      // Whoever looks now sees that Docker is away, and orders nothing of it.
      if (!signal.aborted) this.emit({ type: 'lost' });
    }
  }

  /** Also for what the runtime itself has to say. */
  emit(event: RuntimeEvent): void {
    for (const listener of this.listeners) {
      try {
        listener(event);
      } catch (error) {
        this.log.error('a listener to the events of engines failed', { error });
      }
    }
  }
}

/** One line of the stream as our event; a state change that has no word of ours makes everybody look again. */
export function toEvent(line: string): RuntimeEvent | null {
  const { Action: action, id } = JSON.parse(line) as { Action?: string; id?: string };
  if (!id) return null;
  switch (action) {
    case 'start':
      return { type: 'started', id };
    case 'die':
      return { type: 'died', id };
    case 'destroy':
      return { type: 'removed', id };
    default:
      return { type: 'lost' };
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
