/** What one look at the facts came to. */
export type State = 'wrong' | 'warning' | 'good' | 'unknown';

export interface Verdict {
  state: State;
  /** What was seen, with its figures. */
  says: string;
  /** What to do about it; of `wrong` and `warning` only. */
  cure?: string;
}

export const good = (says: string): Verdict => ({ state: 'good', says });
export const unknown = (says: string): Verdict => ({ state: 'unknown', says });
export const warning = (says: string, cure: string): Verdict => ({ state: 'warning', says, cure });
export const wrong = (says: string, cure: string): Verdict => ({ state: 'wrong', says, cure });

/** The problems; where there are none, the word that all is well. */
export function orGood(problems: readonly Verdict[], says: string): Verdict[] {
  return problems.length > 0 ? [...problems] : [good(says)];
}
