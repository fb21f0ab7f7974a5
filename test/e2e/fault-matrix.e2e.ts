import { describe, expect, it } from 'vitest';
import { type Cell, type CellResult, ALL_CELLS, runMatrix } from '../chaos/matrix.js';

/** One cell of each group; `npm run matrix` runs them all. */
const QUICK: readonly string[] = [
  'start: it answers HTML for JSON, before',
  'boot: its process is killed, during',
  'first byte: it answers 500 to every media request, during',
  'flow: it falls silent, mid',
  'TS damage: garbage before one packet in 500, mid',
  'HTTP: its ports are closed, mid',
];

describe('when an engine fails before the first byte, during playback or during another failover', () => {
  it('the viewer gets what the fault matrix promises', async () => {
    const cells = QUICK.map((name): Cell => {
      const cell = ALL_CELLS.find(({ row, phase }) => `${row.group}: ${row.fault}, ${phase}` === name);
      if (cell === undefined) throw new Error(`the matrix has no cell "${name}"`);
      return cell;
    });
    const results: CellResult[] = [];
    await runMatrix(cells, 3, (result) => results.push(result));
    expect(results).toHaveLength(QUICK.length);
    expect(
      results.filter(({ problems }) => problems.length > 0).map(({ row, phase, problems }) => ({ fault: row.fault, phase, problems })),
    ).toEqual([]);
  });
});
