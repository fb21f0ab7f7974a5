/** Refreshes the engine list in the background, so that a list exists when the orchestrator becomes unreachable, and its return is noticed. */
import { OrchestratorError } from '@acexy/orchestrator-client';
import { pause } from '@acexy/service-kit/primitives';
import type { OrchestratorContext } from './injection-tokens.js';
import type { ListSelector } from './list-selector.js';

/** Slightly longer than the list is cached, so that every refresh reaches the orchestrator. */
const BEYOND_CACHE = 1.1;
const MIN_PAUSE_MS = 1000;

export class ListRefresh {
  private readonly end = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly orchestrator: OrchestratorContext,
    private readonly list: ListSelector,
    private readonly cacheTtlMs: number,
  ) {}

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.end.abort(new Error('the refresh has ended'));
    await this.running;
  }

  private async run(): Promise<void> {
    const { link, clock, log, random } = this.orchestrator;
    const { signal } = this.end;
    while (!signal.aborted) {
      try {
        await this.list.refresh(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof OrchestratorError) link.failed('engines', error);
        else log.error('engine list refresh failed', { error });
      }
      // An orchestrator that has just returned may disappear again, so its list is read soon.
      const pauseMs = link.unreachable ? MIN_PAUSE_MS : Math.max(MIN_PAUSE_MS, this.cacheTtlMs * BEYOND_CACHE);
      await pause(clock, pauseMs * (1 + random() * 0.2), signal);
    }
  }
}
