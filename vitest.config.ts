import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

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
 * The end-to-end tests run in three lanes at the same time, each about equally long. Most of them wait for engines, so three lanes keep two cores
 * busy. All tests that use the host's Docker Engine are in one lane, so that they do not see each other's containers.
 */
const lane = (...names: string[]): string[] => names.map((name) => `test/e2e/${name}.e2e.ts`);
const docker = lane('docker-*', 'seed-guide', 'simulator-image', 'vpn-{enable-disable,faults,gluetun,two-gluetuns}');
const playback = lane('browser', 'failover', 'hls*', 'playback', 'player*', 'standby-engine', 'vpn-simulated');
const endToEnd = {
  environment: 'node' as const,
  // Each file runs real services, engines and decoders. More than one file at a time in a lane would starve them on two cores.
  fileParallelism: false,
  testTimeout: 90_000,
  hookTimeout: 90_000,
  setupFiles: ['test/support/failure-logs.ts'],
};

export default defineConfig({
  test: {
    projects: [
      {
        plugins,
        // `source`: unit tests import the TypeScript of the libraries, so that they never test an old build.
        ssr: { resolve: { conditions: ['source'] } },
        test: {
          name: 'unit',
          environment: 'node',
          include: ['apps/*/src/**/*.spec.ts', 'libs/*/src/**/*.spec.ts', 'test/**/*.spec.ts'],
          testTimeout: 15_000,
          // One module registry per worker: loading Nest once per file took more time than the tests.
          isolate: false,
          setupFiles: ['test/support/reset-between-files.ts'],
          // By default vitest leaves one core unused, which is half of a small machine.
          maxWorkers: '100%',
        },
      },
      { plugins, test: { ...endToEnd, name: 'e2e', include: ['test/**/*.e2e.ts'], exclude: [...docker, ...playback] } },
      { plugins, test: { ...endToEnd, name: 'e2e-docker', include: docker } },
      { plugins, test: { ...endToEnd, name: 'e2e-playback', include: playback } },
      {
        plugins,
        // The long tests (`npm run soak`, `matrix`, `chaos`, `load`); `npm test` runs short forms of them from test/e2e.
        test: {
          name: 'long',
          environment: 'node',
          include: ['test/{soak,chaos,load}/*.long.ts'],
          fileParallelism: false,
          testTimeout: 0,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
