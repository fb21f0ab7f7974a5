/** The unit tests, with one mutant at a time of one source file (scripts/mutation/mutate.mjs). The file on the disk is not changed. */
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

const unit = base.test.projects.find(({ test }) => test.name === 'unit');
const mutant = {
  name: 'mutant',
  enforce: 'pre',
  transform(code, id) {
    const { mutant } = globalThis;
    return mutant !== undefined && id === resolve(mutant.file)
      ? code.slice(0, mutant.from) + mutant.text + code.slice(mutant.to)
      : undefined;
  },
};

export default defineConfig({
  plugins: [mutant, ...unit.plugins],
  ssr: unit.ssr,
  test: { ...unit.test, isolate: false, pool: 'forks', maxWorkers: 1, bail: 1 },
});
