/** Result of a check. */
export type State = 'wrong' | 'warning' | 'good' | 'unknown';

export interface Verdict {
  state: State;
  /** What was found, with figures. */
  says: string;
  /** What to do; only with `wrong` and `warning`. */
  cure?: string;
}

export const good = (says: string): Verdict => ({ state: 'good', says });
export const unknown = (says: string): Verdict => ({ state: 'unknown', says });
export const warning = (says: string, cure: string): Verdict => ({ state: 'warning', says, cure });
export const wrong = (says: string, cure: string): Verdict => ({ state: 'wrong', says, cure });

/** The problems, or one `good` verdict if there are none. */
export function orGood(problems: readonly Verdict[], says: string): Verdict[] {
  return problems.length > 0 ? [...problems] : [good(says)];
}
