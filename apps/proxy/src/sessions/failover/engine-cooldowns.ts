/** Engines that failed one stream, and for how long they are not asked again: a moment where nothing else is to be had, longer each time. */

/**
 * `declined`: it is alive and ended the session, or said no to one, so that asking it again costs nothing but a moment; `failed`: it broke, was silent or
 * made no sense.
 */
export type EngineFailure = 'declined' | 'failed';

const FIRST_MS: Readonly<Record<EngineFailure, number>> = { declined: 3000, failed: 10_000 };
const LONGEST_MS: Readonly<Record<EngineFailure, number>> = { declined: 10_000, failed: 60_000 };
/** Where viewers wait and nothing else is to be had, any engine may be asked again so long after it failed: it may have been mended long since. */
const URGENT_MS = 3000;
/** An engine that has been well for so long starts with a clean sheet. */
const FORGET_AFTER_MS = 300_000;

interface FailureRecord {
  times: number;
  at: number;
  until: number;
}

export class EngineCooldowns {
  private readonly records = new Map<string, FailureRecord>();

  /** @param now moment of the clock, in ms */
  add(engineId: string, failure: EngineFailure, now: number): void {
    this.forget(now);
    const times = (this.records.get(engineId)?.times ?? 0) + 1;
    this.records.set(engineId, { times, at: now, until: now + Math.min(LONGEST_MS[failure], FIRST_MS[failure] * 2 ** (times - 1)) });
  }

  /** Those not to be asked now; fewer where it is `urgent`. */
  excluded(now: number, urgent = false): string[] {
    return [...this.records].filter(([, record]) => barredUntil(record, urgent) > now).map(([id]) => id);
  }

  /** Milliseconds until the next of them may be asked again; Infinity where there is none. */
  pardonMs(now: number, urgent = false): number {
    return Math.min(
      Infinity,
      ...[...this.records.values()].map((record) => barredUntil(record, urgent) - now).filter((leftMs) => leftMs > 0),
    );
  }

  private forget(now: number): void {
    for (const [id, { at }] of this.records) if (now - at > FORGET_AFTER_MS) this.records.delete(id);
  }
}

function barredUntil({ at, until }: FailureRecord, urgent: boolean): number {
  return urgent ? Math.min(until, at + URGENT_MS) : until;
}
