/**
 * The folders of the repository: what each is for, and what it may import. `.dependency-cruiser.cjs` generates the import rules from these rows,
 * and `npm run docs:architecture` the tables in docs/architecture.md. A new folder needs a row. A row imports from rows below it only.
 */
const ALL = ['everything below'];

/** Folders of `apps/orchestrator/src`: name, idea, may import. */
const orchestrator = [
  ['app', 'start the service: Nest modules, HTTP configuration, error mapping, OpenAPI', ALL],
  [
    'doctor',
    '`npm run doctor`: collect facts, then judge them in pure checks',
    ['settings.ts', 'database', 'runtime', 'vpn', 'libs/contracts'],
  ],
  ['docker-filter', 'the filter in front of Docker: a process of its own, with a pure policy', ['app/log-settings.ts', 'vpn', 'runtime']],
  ['retention', 'delete what grows: garbage collection, history limits', ['autoscaling', 'streams', 'engines', 'database', 'http']],
  [
    'autoscaling',
    'how many engines there should be: reconcile loop, scaling, replacement',
    ['health', 'provisioning', 'vpn', 'leases', 'engines', 'runtime', 'database', 'http', 'libs/contracts'],
  ],
  [
    'health',
    'does an engine, a dependency, the service work',
    ['streams', 'provisioning', 'vpn', 'leases', 'engines', 'runtime', 'database', 'libs/contracts', 'libs/engine-client'],
  ],
  [
    'streams',
    'who is watching what: events, reports, statistics',
    ['leases', 'engines', 'database', 'http', 'libs/contracts', 'libs/engine-client'],
  ],
  [
    'provisioning',
    'start an engine: ports, spec, queue, circuit breaker, its REST calls',
    ['vpn', 'engines', 'runtime', 'database', 'http', 'libs/contracts'],
  ],
  [
    'vpn',
    'Gluetun: tunnel status, forwarded port, engines behind it',
    ['leases', 'engines', 'runtime', 'libs/contracts', 'libs/engine-client'],
  ],
  ['leases', 'who may use which engine: lease service and book, claims, selection', ['engines', 'http', 'libs/contracts']],
  ['engines', 'which engines exist: registry, sync with the runtime, removal', ['runtime', 'http', 'libs/contracts']],
  ['runtime', 'how an engine is run: one interface, `docker/` and `process/`', ['locks']],
  ['database', 'SQLite: entities, migrations, one write queue', ['locks', 'libs/contracts']],
  ['locks', 'one holder at a time: a file lock that ends with its process', []],
  ['http', 'what every controller uses: guards, limits, error replies', ['libs/contracts']],
];

/** Folders of `apps/proxy/src`. */
const proxy = [
  ['app', 'start the service: Nest modules, HTTP configuration, error mapping, OpenAPI, shutdown', ALL],
  [
    'workers',
    'several processes: `front` and workers, who gets a connection, what the front does for all of them',
    ['playback', 'hls', 'sessions', 'selection', 'http', 'libs/contracts', 'libs/engine-client'],
  ],
  ['health', 'readiness of the proxy', ['sessions', 'selection', 'libs/orchestrator-client']],
  ['playback', '`/ace/getstream` and `/ace/status`', ['hls', 'metrics', 'sessions', 'broadcast', 'http']],
  ['hls', '`/ace/manifest.m3u8`: segments and playlists', ['metrics', 'sessions', 'broadcast', 'http', 'libs/mpegts']],
  ['playlists', '`/playlist.m3u`: rewrite lists of channels', ['http']],
  ['reporting', 'report to the orchestrator what plays', ['sessions', 'selection', 'libs/contracts', 'libs/orchestrator-client']],
  ['metrics', 'the metrics of the proxy', ['sessions', 'broadcast', 'libs/orchestrator-client']],
  [
    'sessions',
    'the life of an engine session: `start/`, `failover/`, stop',
    ['selection', 'broadcast', 'http', 'libs/contracts', 'libs/engine-client'],
  ],
  ['selection', 'which engine: lease, list, fallback', ['libs/contracts', 'libs/engine-client', 'libs/orchestrator-client']],
  ['broadcast', 'bytes only: ring buffer, viewers, joining two sources', ['libs/mpegts']],
  ['http', 'what every controller uses: request parsing, content keys, access tokens, limits', []],
];

/** Other apps, and libraries. All services may import libs/service-kit. */
const workspaces = [
  ['apps/engine-simulator', 'a stand-in engine', ['libs/mpegts']],
  ['apps/gluetun-simulator', 'a stand-in Gluetun', []],
  ['libs/contracts', 'wire types: validated and documented in one place', ['libs/service-kit']],
  ['libs/orchestrator-client', "the orchestrator's API, typed, with retries and cache", ['libs/contracts', 'libs/service-kit']],
  ['libs/engine-client', "the engine's HTTP API, typed", ['libs/service-kit']],
  ['libs/mpegts', 'packets, tables, clocks, random access; no imports at all', []],
  ['libs/service-kit', 'settings, logging, errors, access, metrics, API documentation, primitives', []],
];

const escaped = (text) => text.replace(/[.]/g, '\\.');

/** One rule for each row: it forbids all imports from apps and libs that the row does not name, type-only imports included. */
function rules() {
  const result = [];
  for (const [service, rows] of Object.entries({ orchestrator, proxy })) {
    const source = `apps/${service}/src`;
    const names = rows.map(([name]) => name);
    for (const [name, , mayImport] of rows) {
      const allowed =
        mayImport === ALL
          ? [`${source}/`, 'libs/']
          : [
              'libs/service-kit/',
              ...[name, ...mayImport].map((target) =>
                target.startsWith('libs/') ? `${target}/` : `${source}/${target}${target.endsWith('.ts') ? '$' : '/'}`,
              ),
            ];
      const unknown = mayImport === ALL ? [] : mayImport.filter((target) => !/^libs\/|\.ts$/.test(target) && !names.includes(target));
      if (unknown.length > 0) throw new Error(`import table: ${service}/${name} may import ${unknown}, which has no row`);
      result.push({
        name: `${service}/${name} imports what its row allows`,
        severity: 'error',
        // The module of the runtime gets the id of the installation from the database.
        from: { path: `^${source}/${name}/`, ...(name === 'runtime' ? { pathNot: 'runtime\\.module\\.ts$' } : {}) },
        to: { path: '^(apps|libs)/', pathNot: `^(${allowed.join('|')})` },
      });
    }
    result.push({
      name: `every folder of ${service} has a row`,
      severity: 'error',
      from: { path: `^${source}/[^/]+/`, pathNot: `^${source}/(${names.join('|')})/` },
      to: {},
    });
  }
  for (const [name, , mayImport] of workspaces)
    result.push({
      name: `${name} imports what its row allows`,
      severity: 'error',
      from: { path: `^${escaped(name)}/` },
      to: { path: '^(apps|libs)/', pathNot: `^(${[name, ...mayImport].map((target) => `${target}/`).join('|')})` },
    });
  return result;
}

/** The tables for docs/architecture.md, as Markdown. */
function tables() {
  const list = (mayImport) =>
    mayImport === ALL
      ? 'everything below'
      : mayImport.length === 0
        ? 'nothing'
        : mayImport.map((name) => name.replace('libs/', '')).join(', ');
  const table = (title, heading, rows) =>
    [
      `### ${title}`,
      '',
      `| ${heading} | Idea | May import |`,
      '| - | - | - |',
      ...rows.map(([name, idea, mayImport]) => `| \`${name}\` | ${idea} | ${list(mayImport)} |`),
      '',
    ].join('\n');
  return [
    table('`apps/orchestrator/src`', 'Folder', orchestrator),
    table('`apps/proxy/src`', 'Folder', proxy),
    table('Other apps, and libraries', 'Workspace', workspaces),
    'Every folder of the services may also import `libs/service-kit`.\n',
  ].join('\n');
}

const MARKS = ['<!-- import table -->', '<!-- end of import table -->'];

/** `page` with the tables between the marks. */
function withTables(page) {
  const [from, to] = MARKS.map((mark) => page.indexOf(mark));
  if (from < 0 || to < from) throw new Error(`the page needs the marks ${MARKS.join(' and ')}`);
  return `${page.slice(0, from + MARKS[0].length)}\n\n${tables()}\n${page.slice(to)}`;
}

module.exports = { orchestrator, proxy, workspaces, rules, withTables };
