import type { ScalingDecisionRecord } from '@acexy/contracts';
import { isDeepStrictEqual } from 'node:util';

/** As many as are worth reading; a busy pool makes a few a minute. */
const KEPT = 300;

export type Decided = Omit<ScalingDecisionRecord, 'decided_at' | 'confirmed_at' | 'rounds'>;

/** The last decisions with all that led to them. A round that saw and decided what the one before did is no decision of its own. */
export class DecisionLog {
  private readonly records: ScalingDecisionRecord[] = [];

  /** @returns whether it is a new one */
  add(decided: Decided, at: Date): boolean {
    const last = this.records.at(-1);
    const time = at.toISOString();
    if (last) {
      const { decided_at: _first, confirmed_at: _last, rounds: _rounds, ...before } = last;
      if (isDeepStrictEqual(before, decided)) {
        last.confirmed_at = time;
        last.rounds += 1;
        return false;
      }
    }
    this.records.push({ decided_at: time, confirmed_at: time, rounds: 1, ...decided });
    if (this.records.length > KEPT) this.records.shift();
    return true;
  }

  /** Newest first. */
  latest(limit: number): ScalingDecisionRecord[] {
    return this.records.slice(-limit).reverse();
  }
}
