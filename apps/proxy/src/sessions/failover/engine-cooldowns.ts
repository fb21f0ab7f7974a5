/** How long a session avoids an engine that failed: longer after each failure, but only a few seconds while no other engine is free. */
import { backoffMs } from '@acexy/service-kit/primitives';

/** `declined`: the engine works; it ended the session or refused the start. `failed`: it broke, was silent or sent nonsense. */
export type EngineFailure = 'declined' | 'failed';

const COOLDOWN = { declined: { firstMs: 3000, longestMs: 10_000 }, failed: { firstMs: 10_000, longestMs: 60_000 } } as const;
/** While viewers wait and no other engine is free, every engine may be tried again after this time: it may work by now. */
const URGENT_MS = 3000;
/** After this time without a failure the next one counts as the first. */
const FORGET_AFTER_MS = 300_000;

interface FailureRecord {
  failures: number;
  at: number;
  until: number;
}

export class EngineCooldowns {
  private readonly records = new Map<string, FailureRecord>();

  /** @param now time of the clock, in ms */
  add(engineId: string, failure: EngineFailure, now: number): void {
    for (const [id, { at }] of this.records) if (now - at > FORGET_AFTER_MS) this.records.delete(id);
    const failures = (this.records.get(engineId)?.failures ?? 0) + 1;
    this.records.set(engineId, { failures, at: now, until: now + backoffMs(failures, COOLDOWN[failure]) });
  }

  /** The engines to avoid now. */
  excluded(now: number, urgent = false): string[] {
    return [...this.records].filter(([, record]) => endOf(record, urgent) > now).map(([id]) => id);
  }

  /** Milliseconds until the next engine may be tried again; Infinity when none is excluded. */
  remainingMs(now: number, urgent = false): number {
    const left = [...this.records.values()].map((record) => endOf(record, urgent) - now);
    return Math.min(Infinity, ...left.filter((ms) => ms > 0));
  }
}

function endOf({ at, until }: FailureRecord, urgent: boolean): number {
  return urgent ? Math.min(until, at + URGENT_MS) : until;
}
