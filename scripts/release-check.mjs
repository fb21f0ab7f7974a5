/**
 * `npm run release:check`: checks whether this checkout can be released. Versions and CHANGELOG.md agree, every license may be shipped, the lock file is
 * pinned and has no known vulnerabilities, nothing prevents arm64, and both images start as they should. A check that is not possible here is reported as
 * skipped and is not a failure.
 *
 *   npm run release:check -- [--orchestrator IMAGE] [--acexy IMAGE] [--root FOLDER] [--only versions,licenses,lock,audit,arm64,images]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { dockerMissing, imageProblems } from './release/images.mjs';
import { integrityProblems, licenseCounts, licenseProblems, packagesOf, processorProblems } from './release/lock-file.mjs';

/** Problems printed for each check. */
const SHOWN = 5;
const AUDIT_LIMIT_MS = 120_000;
const CHECKS = { versions, licenses, lock, audit, arm64, images };

const { values: options } = parseArgs({
  options: {
    orchestrator: { type: 'string', default: 'acestream-orchestrator' },
    acexy: { type: 'string', default: 'acestream-acexy' },
    root: { type: 'string', default: dirname(dirname(fileURLToPath(import.meta.url))) },
    only: { type: 'string', default: Object.keys(CHECKS).join(',') },
  },
});
const read = (name) => readFileSync(join(options.root, name), 'utf8');
const { version } = JSON.parse(read('package.json'));
const packages = packagesOf(JSON.parse(read('package-lock.json')));
let failed = false;

for (const name of options.only.split(',')) {
  const check = CHECKS[name];
  if (check === undefined) {
    console.error(`--only takes ${Object.keys(CHECKS).join(', ')}, not ${name}`);
    process.exit(64);
  }
  const { skipped, problems = [], summary } = await check();
  if (skipped) console.log(`SKIPPED ${name}: ${skipped}`);
  else if (problems.length === 0) console.log(`good    ${name}: ${summary}`);
  else {
    failed = true;
    for (const problem of problems.slice(0, SHOWN)) console.log(`WRONG   ${name}: ${problem}`);
    if (problems.length > SHOWN) console.log(`WRONG   ${name}: and ${problems.length - SHOWN} more`);
  }
}
process.exitCode = failed ? 1 : 0;

/** One version everywhere, and a section about it in CHANGELOG.md. */
function versions() {
  const workspaces = ['apps', 'libs'].flatMap((folder) =>
    readdirSync(join(options.root, folder)).map((name) => `${folder}/${name}/package.json`),
  );
  const problems = workspaces.flatMap((file) => {
    const own = JSON.parse(read(file));
    const foreign = Object.entries(own.dependencies ?? {}).filter(([name, wanted]) => name.startsWith('@acexy/') && wanted !== version);
    return [
      ...(own.version === version ? [] : [`${file} has version ${own.version}, but package.json has ${version}`]),
      ...foreign.map(([name, wanted]) => `${file} depends on ${name} ${wanted}, not ${version}`),
    ];
  });
  const inDockerfile = /^ARG VERSION=(\S+)$/m.exec(read('Dockerfile'))?.[1];
  if (inDockerfile !== version) problems.push(`the Dockerfile labels its images ${inDockerfile}, not ${version}`);
  const newest = existsSync(join(options.root, 'CHANGELOG.md')) ? /^## (\S+)/m.exec(read('CHANGELOG.md'))?.[1] : undefined;
  if (newest !== version) problems.push(`CHANGELOG.md starts with ${newest ?? 'nothing'}, not ${version}`);
  return { problems, summary: version };
}

function licenses() {
  return { problems: licenseProblems(packages, licenseIn), summary: `shipped: ${licenseCounts(packages, licenseIn).join(', ')}` };
}

/** The license in the package itself; older packages have a list with types. */
function licenseIn(path) {
  const file = join(options.root, path, 'package.json');
  if (!existsSync(file)) return undefined;
  const { license, licenses } = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof license === 'string') return license;
  return licenses?.map(({ type }) => type).join(' OR ') || undefined;
}

function lock() {
  return { problems: integrityProblems(packages), summary: `${packages.length} packages, each with an integrity hash` };
}

/** Known vulnerabilities of shipped packages. Not every registry supports this. */
function audit() {
  const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { cwd: options.root, encoding: 'utf8', timeout: AUDIT_LIMIT_MS });
  let answer;
  try {
    answer = JSON.parse(stdout);
  } catch {
    return { skipped: 'npm audit returned nothing' };
  }
  if (answer.metadata === undefined)
    return { skipped: `the registry does not support it (${firstLine(answer.message ?? answer.error?.summary ?? 'no reason')})` };
  const { critical, high, moderate, low } = answer.metadata.vulnerabilities;
  const problems = Object.values(answer.vulnerabilities)
    .filter(({ severity }) => severity === 'critical' || severity === 'high')
    .map(({ name, severity, range }) => `${name} ${range}: ${severity}`);
  return { problems, summary: `${critical} critical, ${high} high, ${moderate} moderate, ${low} low` };
}

function firstLine(text) {
  // Without the URL, which does not help the reader.
  return text.split('\n')[0].replace(/\s*-?\s*[A-Z]+ https?:\S+/, '');
}

function arm64() {
  const fixed = [...read('Dockerfile').matchAll(/^FROM .*--platform=(?!\$)\S+.*$/gm)].map(
    ([line]) => `the Dockerfile is limited to one processor: ${line}`,
  );
  return {
    problems: [...processorProblems(packages, 'arm64'), ...fixed],
    summary: 'no shipped package needs another processor (not tested on arm64)',
  };
}

async function images() {
  const missing = dockerMissing();
  if (missing !== null) return { skipped: missing };
  const problems = [
    ...(await imageProblems(options.orchestrator, {
      title: 'acestream-orchestrator',
      version,
      env: ['MIN_REPLICAS=0', 'IMAGE_PULL=never'],
    })),
    ...(await imageProblems(options.acexy, { title: 'acestream-acexy', version, env: [] })),
  ];
  return {
    problems,
    summary: `${options.orchestrator} and ${options.acexy} are healthy without root, without capabilities and read-only`,
  };
}
