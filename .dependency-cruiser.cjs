/** The directions of imports (docs/architecture.md). A new folder fits one of these rules or gets its own. */
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'A cycle hides which part owns the other.',
      from: {},
      to: { circular: true },
    },
    { name: 'libs-know-no-apps', severity: 'error', from: { path: '^libs/' }, to: { path: '^apps/' } },
    { name: 'apps-are-strangers', severity: 'error', from: { path: '^apps/([^/]+)/' }, to: { path: '^apps/', pathNot: '^apps/$1/' } },
    {
      name: 'src-imports-no-tests',
      severity: 'error',
      comment: 'Test doubles, fixtures and benchmarks are not shipped. Specs are excluded below and may import them.',
      from: { path: '^(apps|libs)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'nothing-imports-autoscaling',
      severity: 'error',
      from: { path: '^apps/orchestrator/src/', pathNot: '^apps/orchestrator/src/(autoscaling/|app/|retention/)' },
      to: { path: '^apps/orchestrator/src/autoscaling/' },
    },
    {
      name: 'runtime-knows-only-how',
      severity: 'error',
      comment: 'How an engine is run does not know why.',
      // Its Nest module is where it is wired: which installation it is, the database knows.
      from: { path: '^apps/orchestrator/src/runtime/', pathNot: 'runtime\\.module\\.ts$' },
      to: { path: '^apps/orchestrator/src/', pathNot: '^apps/orchestrator/src/(runtime|settings)' },
    },
    {
      name: 'provisioning-does-not-decide-how-many',
      severity: 'error',
      from: { path: '^apps/orchestrator/src/provisioning/' },
      to: { path: '^apps/orchestrator/src/(autoscaling|health|streams|retention)/' },
    },
    {
      name: 'engines-are-read-by-everybody',
      severity: 'error',
      comment: 'Every module may read which engines exist, so engines reads only the runtime.',
      from: { path: '^apps/orchestrator/src/engines/' },
      to: { path: '^apps/orchestrator/src/(autoscaling|database|health|leases|provisioning|retention|streams|vpn)/' },
    },
    {
      name: 'leases-read-engines',
      severity: 'error',
      comment: 'Who may use an engine depends only on which engines exist; nothing else is asked.',
      from: { path: '^apps/orchestrator/src/leases/' },
      to: { path: '^apps/orchestrator/src/(autoscaling|database|health|provisioning|retention|streams|vpn)/' },
    },
    {
      name: 'broadcast-knows-bytes',
      severity: 'error',
      comment: 'The hot path: no HTTP client, no orchestrator, no framework.',
      from: { path: '^apps/proxy/src/broadcast/' },
      to: {
        path: '^(node_modules/(@nestjs|axios|rxjs)|libs/(engine-client|orchestrator-client|service-kit/src/(?!primitives)|contracts)|apps/proxy/src/(?!broadcast/))',
      },
    },
    {
      name: 'broadcast-has-one-face',
      severity: 'error',
      comment: 'broadcast.ts exports what other folders may use; the sub-folders are internal.',
      from: { path: '^apps/', pathNot: '^apps/proxy/src/broadcast/' },
      to: { path: '^apps/proxy/src/broadcast/', pathNot: 'broadcast/broadcast\\.ts$' },
    },
    {
      name: 'pure-parts-are-pure',
      severity: 'error',
      comment: 'Decide in pure functions: a policy or a plan imports no framework, no client, no Docker.',
      from: { path: '\\.(policy|plan)\\.ts$' },
      to: { path: 'node_modules/(@nestjs|axios|dockerode|typeorm|rxjs)' },
    },
    {
      name: 'mpegts-is-alone',
      severity: 'error',
      from: { path: '^libs/mpegts/' },
      to: { path: '^(libs/(?!mpegts)|node_modules/)', pathNot: '^node_modules/(@types|vitest|fast-check)' },
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
