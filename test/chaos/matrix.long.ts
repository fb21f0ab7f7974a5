/** `npm run matrix [-- --only TEXT] [--lanes 3] [--report FILE]`: every cell of the fault matrix. */
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type CellResult, ALL_CELLS, runMatrix } from './matrix.js';
import { tableOf } from './matrix-report.js';

const only = process.env.MATRIX_ONLY ?? '';
const lanes = Number(process.env.MATRIX_LANES ?? 3);
const report = process.env.MATRIX_REPORT;

describe('the fault matrix', () => {
  it('every cell has the expected result', async () => {
    const cells = ALL_CELLS.filter(({ row, phase }) => `${row.group}: ${row.fault}, ${phase}`.includes(only));
    const results: CellResult[] = [];
    await runMatrix(cells, lanes, (result) => {
      results.push(result);
      const { row, phase, outcome, silence, problems } = result;
      const verdict = problems.length === 0 ? 'good' : `NOT AS EXPECTED: ${problems.join(' | ')}`;
      console.log(
        `${results.length}/${cells.length}  ${row.group}: ${row.fault}, ${phase}: ${outcome}, ${silence.toFixed(1)} s without a byte: ${verdict}`,
      );
    });
    if (report !== undefined) writeFileSync(report, tableOf(results));
    expect(
      results.filter(({ problems }) => problems.length > 0).map(({ row, phase, problems }) => ({ fault: row.fault, phase, problems })),
    ).toEqual([]);
  });
});
