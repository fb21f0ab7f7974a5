import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

/** Nest reads constructor types from decorator metadata, which vitest's own compiler does not write; swc does. */
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

export default defineConfig({
  test: {
    projects: [
      {
        plugins,
        // `source`: unit tests import the libraries' TypeScript, so that they never test an old build.
        ssr: { resolve: { conditions: ['source'] } },
        test: {
          name: 'unit',
          environment: 'node',
          include: ['apps/*/src/**/*.spec.ts', 'libs/*/src/**/*.spec.ts'],
          testTimeout: 15_000,
        },
      },
      {
        plugins,
        test: {
          name: 'e2e',
          environment: 'node',
          include: ['test/**/*.e2e.ts'],
          // Each file runs real services, engines and decoders: one file at a time keeps them from starving each other on 2 cores.
          fileParallelism: false,
          testTimeout: 90_000,
          hookTimeout: 90_000,
        },
      },
    ],
  },
});
