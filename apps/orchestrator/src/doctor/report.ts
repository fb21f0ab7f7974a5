import type { Diagnosis } from './diagnosis.plan.js';

/** The report for a terminal: problems in the order to fix them, warnings, then everything that is good or unknown. */
export function report(diagnoses: readonly Diagnosis[]): string {
  const of = (state: Diagnosis['state']): Diagnosis[] => diagnoses.filter((diagnosis) => diagnosis.state === state);
  const [wrong, warnings] = [of('wrong'), of('warning')];
  const problem = ({ id, says, cure }: Diagnosis, index: number): string =>
    `${String(index + 1).padStart(3)}. [${id}] ${says}\n     -> ${cure}`;
  const line = ({ id, says }: Diagnosis): string => `  ${id.padEnd(18)} ${says}`;
  const part = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : [title, ...lines, '']);
  return [
    ...part('WRONG, in the order to fix it:', wrong.map(problem)),
    ...part('WARNINGS:', warnings.map(problem)),
    ...part('Good:', of('good').map(line)),
    ...part('Unknown:', unknownLines(of('unknown'))),
    wrong.length === 0
      ? `Nothing is wrong${warnings.length === 0 ? '' : `; ${warnings.length} warnings`}.`
      : `${wrong.length} wrong, ${warnings.length} warnings. Fix the first problem first: later ones often follow from it.`,
  ].join('\n');
}

/** One line per reason. */
function unknownLines(diagnoses: readonly Diagnosis[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { id, says } of diagnoses) byReason.set(says, [...(byReason.get(says) ?? []), id]);
  return [...byReason].map(([reason, ids]) => `  ${ids.join(', ')}: ${reason}`);
}
