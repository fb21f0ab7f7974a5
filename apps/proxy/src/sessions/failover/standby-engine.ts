/**
 * An engine that is leased while the source is silent, and used when the silence becomes a loss. It gets no requests before. It is released when the
 * source delivers again, when another session of this proxy finds no engine, or when the orchestrator leases it to another proxy.
 */
import type { Log } from '@acexy/service-kit';
import { type LeasedEngine, NoEngineError, type SelectRequest } from '../../selection/engine-selector.js';
import type { SessionContext } from '../session-context.js';
import type { StandbyOutcome } from '../session-events.js';

export interface StandbyRequest extends Pick<SelectRequest, 'streamId' | 'content' | 'exclude'> {
  /** Longest wait for a free engine, in ms. */
  waitMs: number;
}

export class StandbyEngine {
  private search: AbortController | null = null;
  private leased: LeasedEngine | null = null;
  private releasing: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly context: Pick<SessionContext, 'selector' | 'clock' | 'emit'>,
    private readonly log: Log,
  ) {}

  /** null while none is leased. */
  get engineId(): string | null {
    return this.leased?.engineId ?? null;
  }

  /** Resolves when every lease that is no longer needed is released. Never rejects. */
  get idle(): Promise<unknown> {
    return this.releasing;
  }

  /** Leases an engine, unless one is leased or being searched. */
  lease(request: StandbyRequest): void {
    if (this.search !== null || this.leased !== null) return;
    this.search = new AbortController();
    this.releasing = Promise.all([this.releasing, this.find(request, this.search)]);
  }

  /** Hands the engine over to the caller, who then has to release it; null when there is none yet. */
  take(): LeasedEngine | null {
    const { leased } = this;
    this.leased = null;
    if (leased !== null) this.finish('used');
    else this.release('returned');
    return leased;
  }

  /** Returns true when an engine becomes free. */
  release(outcome: 'returned' | 'preempted'): boolean {
    const { search, leased } = this;
    this.search = null;
    this.leased = null;
    if (search !== null) {
      search.abort(new Error('the standby engine is no longer needed'));
      this.finish('none');
    }
    if (leased === null) return false;
    this.log.info('standby engine released', { engine_id: leased.engineId, outcome });
    this.finish(outcome);
    this.releasing = Promise.all([this.releasing, leased.release()]);
    return true;
  }

  private async find({ streamId, content, exclude, waitMs }: StandbyRequest, search: AbortController): Promise<void> {
    const { selector, clock } = this.context;
    try {
      const leased = await selector.select({
        streamId,
        content,
        exclude,
        purpose: 'reserve',
        deadline: clock.now() + waitMs,
        signal: search.signal,
        // A standby engine is only a precaution: no other session releases an engine for it.
        onNoneFree: () => false,
      });
      if (search.signal.aborted) return await leased.release();
      this.search = null;
      this.leased = leased;
      this.log.info('standby engine leased', { engine_id: leased.engineId, lease_id: leased.leaseId });
    } catch (error) {
      if (search.signal.aborted) return;
      this.search = null;
      this.finish('none');
      if (error instanceof NoEngineError) this.log.debug('no standby engine free', { error: error.message });
      else this.log.warn('standby lease failed', { error });
    }
  }

  private finish(outcome: StandbyOutcome): void {
    this.context.emit({ type: 'standby_finished', outcome });
  }
}
