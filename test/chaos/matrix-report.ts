/** The results of the fault matrix as a Markdown table. */
import { PHASES } from './fault-matrix.js';
import type { CellResult } from './matrix.js';

export function tableOf(results: readonly CellResult[]): string {
  const rows = [...new Set(results.map(({ row }) => row))];
  const cell = (row: CellResult['row'], phase: CellResult['phase']): string => {
    const result = results.find((other) => other.row === row && other.phase === phase);
    if (result === undefined) return '';
    const { outcome, silence, problems } = result;
    return `${outcome}, ${silence.toFixed(1)} s${problems.length === 0 ? '' : ' **not as expected**'}`;
  };
  return [
    '| Group | Fault of the engine | before the first byte | while playing | during another failover |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row.group} | ${row.fault} | ${PHASES.map((phase) => cell(row, phase)).join(' | ')} |`),
    '',
  ].join('\n');
}
