import type { ScalingDecisionRecord } from '@acexy/contracts';
import { isDeepStrictEqual } from 'node:util';

/** A busy pool makes a few decisions a minute. */
const MAX_RECORDS = 300;

export type Decision = Omit<ScalingDecisionRecord, 'decided_at' | 'confirmed_at' | 'rounds'>;

/** The latest decisions with their inputs. A round with the same inputs and decision as the one before only confirms it. */
export class DecisionLog {
  private readonly records: ScalingDecisionRecord[] = [];

  /** @returns whether the decision differs from the last one */
  add(decision: Decision, at: Date): boolean {
    const last = this.records.at(-1);
    const time = at.toISOString();
    if (last) {
      const { decided_at: _first, confirmed_at: _last, rounds: _rounds, ...before } = last;
      if (isDeepStrictEqual(before, decision)) {
        last.confirmed_at = time;
        last.rounds += 1;
        return false;
      }
    }
    this.records.push({ decided_at: time, confirmed_at: time, rounds: 1, ...decision });
    if (this.records.length > MAX_RECORDS) this.records.shift();
    return true;
  }

  /** Newest first. */
  latest(limit: number): ScalingDecisionRecord[] {
    return this.records.slice(-limit).reverse();
  }
}
