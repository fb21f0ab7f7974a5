/**
 * An engine kept ready while the source is quiet, for when it turns out to have stopped: leased, and asked for nothing. Whoever needs an engine now goes
 * before: it is given back at once when the source goes on, when another stream of ours finds none, and by the orchestrator for another proxy's.
 */
import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import { type LeasedEngine, type EngineSelector, NoEngineError, type WantedContent } from '../../selection/engine-selector.js';

/** `used`: it was needed. `returned`: the source went on, or the stream ended. `wanted`: another stream had more need of it. `none`: there was none. */
export type StandbyOutcome = 'used' | 'returned' | 'wanted' | 'none';

export interface StandbyRequest {
  streamId: string;
  content: WantedContent;
  exclude: readonly string[];
  /** How long one may be waited for, in ms. */
  waitMs: number;
}

export interface StandbyOptions {
  selector: EngineSelector;
  clock: Clock;
  log: Log;
  /** Told once for each engine looked for. */
  onEnd(outcome: StandbyOutcome): void;
}

export class StandbyEngine {
  private wish: AbortController | null = null;
  private seat: LeasedEngine | null = null;
  private releasing: Promise<void> = Promise.resolve();

  constructor(private readonly options: StandbyOptions) {}

  /** The engine that is held; null while none is. */
  get engineId(): string | null {
    return this.seat?.engineId ?? null;
  }

  /** Resolves when nothing that was given up is still being given back. Never rejects. */
  get idle(): Promise<void> {
    return this.releasing;
  }

  /** Looks for an engine, if none is held or looked for yet. */
  begin(request: StandbyRequest): void {
    if (this.wish !== null || this.seat !== null) return;
    const wish = new AbortController();
    this.wish = wish;
    this.releasing = Promise.all([this.releasing, this.find(request, wish)]).then(() => undefined);
  }

  /** The engine, for who needs it now; null where there is none yet. What is taken is the caller's to give back. */
  take(): LeasedEngine | null {
    const { seat } = this;
    this.seat = null;
    if (seat !== null) this.options.onEnd('used');
    else this.giveUp('returned');
    return seat;
  }

  /** Needs none any more. True where an engine comes free. */
  giveUp(outcome: 'returned' | 'wanted'): boolean {
    const { wish, seat } = this;
    this.wish = null;
    this.seat = null;
    if (wish !== null) {
      wish.abort(new Error('no engine is needed in reserve any more'));
      this.options.onEnd('none');
    }
    if (seat === null) return false;
    this.options.log.info('the engine in reserve is given back', { engine: seat.engineId, why: outcome });
    this.options.onEnd(outcome);
    this.releasing = Promise.all([this.releasing, seat.release()]).then(() => undefined);
    return true;
  }

  private async find({ streamId, content, exclude, waitMs }: StandbyRequest, wish: AbortController): Promise<void> {
    const { selector, clock, log } = this.options;
    try {
      const seat = await selector.select({
        streamId,
        content,
        exclude,
        purpose: 'reserve',
        deadline: clock.now() + waitMs,
        signal: wish.signal,
        // Nobody gives anything up for a mere precaution.
        onScarce: () => false,
      });
      if (wish.signal.aborted) return await seat.release();
      this.wish = null;
      this.seat = seat;
      log.info('engine held in reserve', { engine: seat.engineId, lease_id: seat.leaseId });
    } catch (error) {
      if (wish.signal.aborted) return;
      this.wish = null;
      this.options.onEnd('none');
      if (error instanceof NoEngineError) log.debug('no engine to be held in reserve', { problem: error.message });
      else log.warn('an engine in reserve could not be had', { error });
    }
  }
}
