import type { Facts } from './facts.js';
import type { Verdict } from './verdict.js';

/** One thing that may be wrong. Pure: it judges facts and gathers none. */
export interface Check {
  /** Short, for people who look for it and for `--json`. */
  id: string;
  /** The question it answers, as an operator would ask it. */
  asks: string;
  /** At least one verdict; several where several things are wrong. */
  look(facts: Facts): Verdict[];
}
