import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { createLog } from './log.js';
import { withSourcePositions } from './source-positions.js';

const folder = mkdtempSync(join(tmpdir(), 'source-positions-'));
const compiled = join(folder, 'dist/broken.js');
mkdirSync(join(folder, 'dist'));
// `AAEI`: line 1, column 1 of the compiled file is line 3, column 5 of the source.
writeFileSync(`${compiled}.map`, JSON.stringify({ version: 3, sources: ['../src/broken.ts'], names: [], mappings: 'AAEI' }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const source = join(folder, 'src/broken.ts');
const url = pathToFileURL(compiled).href;

describe('the stack of a logged error', () => {
  it('has the positions in the TypeScript sources', () => {
    const written: string[] = [];
    const log = createLog({ service: 'proxy', level: 'INFO', destination: { write: (line) => written.push(line) } });
    const error = new Error('broken');
    error.stack = `Error: broken\n    at run (${url}:1:1)\n    at ${url}:1:9`;
    log.error('unexpected exception', { error });
    const { stack } = (JSON.parse(written[0]) as { error: { stack: string } }).error;
    expect(stack).toBe(`Error: broken\n    at run (${source}:3:5)\n    at ${source}:3:13`);
  });

  it('has the compiled position of a file without a source map', () => {
    const stack = `Error: broken\n    at run (${pathToFileURL(join(folder, 'dist/other.js')).href}:1:1)`;
    expect(withSourcePositions(stack)).toBe(stack);
  });

  it('has the lines of packages, of Node and of the message unchanged', () => {
    const stack = [
      `Error: cannot read ${url}:1:1`,
      '    at get (file:///app/node_modules/axios/dist/axios.js:1:1)',
      '    at file:///app/dist/%:1:1',
      '    at file:///app/dist/',
      '    at node:internal/process/task_queues:95:5',
    ].join('\n');
    expect(withSourcePositions(stack)).toBe(stack);
  });
});
