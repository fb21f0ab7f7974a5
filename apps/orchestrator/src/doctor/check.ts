import type { Facts } from './facts.js';
import type { Verdict } from './verdict.js';

/** One thing that may be wrong. A check only judges facts; it collects none. */
export interface Check {
  /** Short name, for the report and `--json`. */
  id: string;
  /** The question of the operator that it answers. */
  question: string;
  /** At least one verdict; several if several things are wrong. */
  look(facts: Facts): Verdict[];
}
