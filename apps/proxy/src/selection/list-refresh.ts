/** Keeps the engine list fresh in the background: there is always one to fall back on, and an orchestrator that was away is noticed. */
import { OrchestratorError } from '@acexy/orchestrator-client';
import type { Log } from '@acexy/service-kit';
import { type Clock, sleep } from '@acexy/service-kit/primitives';
import type { ListSelector } from './list-selector.js';
import type { OrchestratorLink } from './orchestrator-link.js';

/** A little longer than the list is cached, so that every look goes to the orchestrator. */
const BEYOND_CACHE = 1.1;
const LEAST_PAUSE_MS = 1000;

export interface ListRefreshOptions {
  list: ListSelector;
  link: OrchestratorLink;
  cacheTtlMs: number;
  clock: Clock;
  log: Log;
  /** For jitter: 0 up to 1. */
  random: () => number;
}

export class ListRefresh {
  private readonly end = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly options: ListRefreshOptions) {}

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.end.abort(new Error('the refresh has ended'));
    await this.running;
  }

  private async run(): Promise<void> {
    const { list, link, clock, log, cacheTtlMs, random } = this.options;
    const { signal } = this.end;
    while (!signal.aborted) {
      try {
        await list.refresh(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof OrchestratorError)) log.error('refresh of the engine list failed', { error });
        else link.failed('engines', error);
      }
      // One that was away may go away again, so its list is had soon after it is back.
      const pause = link.away ? LEAST_PAUSE_MS : Math.max(LEAST_PAUSE_MS, cacheTtlMs * BEYOND_CACHE);
      await sleep(clock, pause * (1 + random() * 0.2), signal).catch(() => undefined); // only ends early, when the loop is to end
    }
  }
}
