const importTable = require('./scripts/import-table.cjs');

/** The directions of imports. scripts/import-table.cjs has one row for each folder; docs/architecture.md shows the same table. */
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'A cycle hides which part owns the other. Type-only imports count.',
      from: {},
      to: { circular: true },
    },
    { name: 'libs-import-no-apps', severity: 'error', from: { path: '^libs/' }, to: { path: '^apps/' } },
    {
      name: 'apps-import-no-other-apps',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'src-imports-no-tests',
      severity: 'error',
      comment: 'Test doubles, fixtures and benchmarks are not shipped. Specs are excluded below and may import them.',
      from: { path: '^(apps|libs)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'packages-are-declared',
      severity: 'error',
      comment: 'An image has the packages that its apps and libraries declare in their package.json, and no others. Types are not in it.',
      from: { path: '^(apps|libs)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    ...importTable.rules(),
    {
      name: 'broadcast-imports-no-framework',
      severity: 'error',
      comment: 'The hot path knows bytes: no framework, no HTTP client, and only the primitives of the service kit.',
      from: { path: '^apps/proxy/src/broadcast/' },
      to: { path: '^(node_modules/(@nestjs|axios|rxjs)|libs/service-kit/src/(?!primitives))' },
    },
    {
      name: 'broadcast-has-one-entry',
      severity: 'error',
      comment: 'broadcast.ts exports what other folders may use; the sub-folders are internal.',
      from: { path: '^apps/', pathNot: '^apps/proxy/src/broadcast/' },
      to: { path: '^apps/proxy/src/broadcast/', pathNot: 'broadcast/broadcast\\.ts$' },
    },
    {
      name: 'swagger-is-loaded-late',
      severity: 'error',
      comment:
        'A start needs a tenth more processor time with Swagger: import from @acexy/service-kit/openapi, which loads it for the first reader.',
      from: { path: '^(apps|libs)/', pathNot: '^libs/service-kit/src/openapi/decorators\\.ts$' },
      to: { path: '^node_modules/@nestjs/swagger/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'proxy-loads-no-validator',
      severity: 'error',
      comment: 'The proxy uses the types of the wire API and its plain vocabulary. The decorated classes would load class-validator.',
      from: { path: '^(apps/proxy|libs/orchestrator-client)/' },
      to: { path: '^libs/contracts/src/(?!vocabulary)', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'pure-parts-are-pure',
      severity: 'error',
      comment: 'Decide in pure functions: a policy or a plan imports no framework, no client, no Docker.',
      from: { path: '\\.(policy|plan)\\.ts$' },
      to: { path: 'node_modules/(@nestjs|axios|dockerode|typeorm|rxjs)' },
    },
    {
      name: 'settings-import-no-framework',
      severity: 'error',
      comment: '`npm start` checks the settings of both services before it starts them, and would wait until Nest is loaded.',
      from: { path: '^(apps|libs)/.*settings\\.ts$' },
      to: {
        path: '^(libs/service-kit/src/index\\.ts$|node_modules/(@nestjs|express|pino|helmet|axios|rxjs|typeorm|dockerode)/)',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'mpegts-imports-no-packages',
      severity: 'error',
      from: { path: '^libs/mpegts/' },
      to: { path: '^node_modules/', pathNot: '^node_modules/(@types|vitest|fast-check)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(/dist/|\\.spec\\.ts$)' },
    tsConfig: { fileName: 'tsconfig.tests.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['source', 'import', 'node', 'default'] },
    tsPreCompilationDeps: true,
  },
};
