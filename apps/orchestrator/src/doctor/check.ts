import type { Facts } from './facts.js';

export type State = 'wrong' | 'warning' | 'good' | 'unknown';

/** Result of a check. */
export interface Verdict {
  state: State;
  /** What was found, with figures. */
  says: string;
  /** What to do; only with `wrong` and `warning`. */
  cure?: string;
}

/** One verdict; or a generator that yields each problem, and returns the verdict that holds when it yielded none. */
export type Findings = Verdict | Generator<Verdict, Verdict>;

/** One thing that may be wrong. A check only judges facts; it collects none. */
export interface Check {
  /** Short name, for the report and `--json`. */
  id: string;
  /** The question of the operator that it answers. */
  question: string;
  look(facts: Facts): Findings;
}

export const good = (says: string): Verdict => ({ state: 'good', says });
export const unknown = (says: string): Verdict => ({ state: 'unknown', says });
export const warning = (says: string, cure: string): Verdict => ({ state: 'warning', says, cure });
export const wrong = (says: string, cure: string): Verdict => ({ state: 'wrong', says, cure });

/** At least one verdict; several if several things are wrong. */
export function verdictsOf(findings: Findings): Verdict[] {
  if ('state' in findings) return [findings];
  const problems: Verdict[] = [];
  for (;;) {
    const { done, value } = findings.next();
    if (done) return problems.length > 0 ? problems : [value];
    problems.push(value);
  }
}
