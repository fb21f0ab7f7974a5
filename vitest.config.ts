import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.js';

/** Nest reads constructor types from decorator metadata. swc writes it, vitest's own compiler does not. */
const plugins = [
  swc.vite({
    module: { type: 'es6' },
    jsc: {
      target: 'es2023',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
      keepClassNames: true,
    },
  }),
];

/**
 * The tests that run containers on the host's Docker Engine run one file after another, so that they do not see each other's containers. Those
 * with a daemon of their own (`docker-chaos`, `docker-daemon`, `seed-guide`) are not among them.
 */
const docker = [
  'docker-{call-budget,change-detection,containers,documented-calls,memory-limit,pair,runtime}',
  'simulator-image',
  'vpn-{enable-disable,faults,gluetun,two-gluetuns}',
].map((name) => `test/e2e/${name}.e2e.ts`);
const endToEnd = {
  environment: 'node' as const,
  testTimeout: 90_000,
  hookTimeout: 90_000,
  setupFiles: ['test/support/failure-logs.ts'],
};

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        plugins,
        // `source`: unit tests import the TypeScript of the libraries, so that they never test an old build.
        ssr: { resolve: { conditions: ['source'] } },
        test: {
          name: 'unit',
          environment: 'node',
          include: ['apps/*/src/**/*.spec.ts', 'libs/*/src/**/*.spec.ts', 'test/**/*.spec.ts'],
          // `npm test` runs them with a lower priority beside the end-to-end tests, so on a busy machine they can take long.
          testTimeout: 60_000,
          // One module registry per worker: loading Nest once per file took more time than the tests.
          isolate: false,
          setupFiles: ['test/support/reset-between-files.ts'],
          // By default vitest leaves one core unused, which is half of a small machine.
          maxWorkers: '100%',
        },
      },
      {
        plugins,
        test: {
          ...endToEnd,
          name: 'e2e',
          include: ['test/**/*.e2e.ts'],
          exclude: docker,
          // Each file runs real services, engines and decoders, and mostly waits for them. Three files at a time leave two cores some rest.
          maxWorkers: 3,
          // Projects with different numbers of workers run one after another, so each is a group.
          sequence: { groupOrder: 1 },
        },
      },
      {
        plugins,
        test: { ...endToEnd, name: 'e2e-docker', include: docker, fileParallelism: false, sequence: { groupOrder: 2 } },
      },
      {
        plugins,
        // The long tests (`npm run soak`, `matrix`, `chaos`, `load`); `npm test` runs short forms of them from test/e2e.
        test: {
          name: 'long',
          environment: 'node',
          include: ['test/{soak,chaos,load}/*.long.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          testTimeout: 0,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
