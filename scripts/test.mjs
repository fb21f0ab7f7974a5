/** `npm test`: installs and builds what is missing, then runs lint, type checks, unit tests and end-to-end tests. The last line has the counts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, prepare } from './prepare.mjs';

prepare();
const reports = mkdtempSync(join(tmpdir(), 'test-report-'));
const counts = { passed: 0, failed: 0, skipped: 0 };
/** Name and error of every failed test. Printed at the end, because the beginning of a long log may be cut off. */
const failures = [];
let failed = false;

await Promise.all([checks(), simulatorImage()]);
// End-to-end tests mostly wait. The unit tests use what is left of the machine, with a lower priority, so that real-time tests do not wait for them.
await Promise.all([tests('e2e', { shown: true }), tests('e2e-docker'), tests('unit', { niceness: 5 })]);

rmSync(reports, { recursive: true });
for (const failure of failures) console.log(`FAILED: ${failure}`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(failed ? 1 : 0);

/** Each check uses one core, so two at a time fill a small machine. */
function checks() {
  return Promise.all([
    // A large young generation, because type information creates much garbage. No cache, because rules may depend on types of other files.
    step('lint', ['--max-semi-space-size=128', 'node_modules/eslint/bin/eslint.js', '.', '--max-warnings', '0']),
    step('format', ['node_modules/prettier/bin/prettier.cjs', '--check', '--cache', '--log-level', 'warn', '.'])
      .then(() =>
        step('import rules', [
          ...['node_modules/dependency-cruiser/bin/dependency-cruise.mjs', '--config', '.dependency-cruiser.cjs'],
          ...['apps', 'libs'],
        ]),
      )
      .then(() => step('types of the tests', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.tests.json'])),
  ]);
}

/** With a Docker Engine, tests also run on real containers. Their engine is the simulator of this checkout. */
async function simulatorImage() {
  const build = spawn(join(ROOT, 'docker/engine-simulator/build.sh'), { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  const [status] = await once(build, 'close');
  if (status !== 0) console.log('SKIPPED: the simulator image could not be built, so tests on real containers are skipped');
}

/** Runs one check. Its output is printed when it has finished, so that the outputs of two checks do not mix. */
async function step(name, args) {
  const started = performance.now();
  const check = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  check.stdout.on('data', (text) => (output += text));
  check.stderr.on('data', (text) => (output += text));
  const [status] = await once(check, 'close');
  console.log(
    `\n> ${name}\n${output}> ${name}: ${status === 0 ? 'good' : 'FAILED'} (${((performance.now() - started) / 1000).toFixed(1)} s)`,
  );
  if (status !== 0) {
    failed = true;
    failures.push(name);
  }
}

/** Runs one vitest project. Its output is printed at once if it is `shown`, else when it has finished. */
async function tests(project, { shown = false, niceness = 0 } = {}) {
  const report = join(reports, `${project}.json`);
  const output = shown ? 'inherit' : 'pipe';
  const started = performance.now();
  if (shown) console.log(`\n> ${project} tests`);
  const vitest = spawn(
    process.execPath,
    [
      ...['node_modules/vitest/vitest.mjs', 'run', '--project', project],
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    ],
    { cwd: ROOT, stdio: ['ignore', output, output] },
  );
  setPriority(vitest.pid, niceness);
  let text = '';
  for (const stream of [vitest.stdout, vitest.stderr]) stream?.on('data', (part) => (text += part));
  const [status] = await once(vitest, 'close');
  if (!shown) console.log(`\n> ${project} tests\n${text}`);
  console.log(`> ${project} tests: ${status === 0 ? 'good' : 'FAILED'} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  if (status !== 0) failed = true;
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    counts.passed += numPassedTests;
    counts.failed += numFailedTests;
    counts.skipped += numPendingTests + numTodoTests;
    for (const file of testResults) {
      const broken = file.assertionResults.filter((test) => test.status === 'failed');
      for (const test of broken) failures.push(`${file.name}: ${test.fullName}\n${test.failureMessages.join('\n')}`);
      if (file.status === 'failed' && broken.length === 0) failures.push(`${file.name}: ${file.message}`);
    }
  } catch (error) {
    console.error(`the ${project} tests wrote no report: ${error.message}`);
    failed = true;
  }
}
