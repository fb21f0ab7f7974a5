/** `npm test`: installs and builds what is missing, then runs lint, type checks, unit tests and end-to-end tests. The last line has the counts. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, prepare } from './prepare.mjs';

prepare();
buildSimulatorImage();
const reports = mkdtempSync(join(tmpdir(), 'test-report-'));
const counts = { passed: 0, failed: 0, skipped: 0 };
/** Name and error of every failed test. Printed at the end, because the beginning of a long log may be cut off. */
const failures = [];
let failed = false;

// Each check uses one core, so two at a time fill a small machine.
await Promise.all([
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
for (const lanes of [['unit'], ['e2e', 'e2e-docker', 'e2e-playback']]) await Promise.all(lanes.map(tests));

rmSync(reports, { recursive: true });
for (const failure of failures) console.log(`FAILED: ${failure}`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(failed ? 1 : 0);

/** With a Docker Engine, tests also run on real containers. Their engine is the simulator of this checkout. */
function buildSimulatorImage() {
  if (spawnSync('docker', ['info'], { stdio: 'ignore' }).status !== 0) {
    console.log('SKIPPED: no Docker Engine answers, so tests on real containers are skipped');
    return;
  }
  const { status } = spawnSync(join(ROOT, 'docker/engine-simulator/build.sh'), { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) console.log('SKIPPED: the simulator image could not be built, so tests that need it are skipped');
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

/** Runs one vitest project. The output of the first lane is printed at once, that of the others when they have finished. */
async function tests(project, lane) {
  const report = join(reports, `${project}.json`);
  const shown = lane === 0 ? 'inherit' : 'pipe';
  const started = performance.now();
  if (lane === 0) console.log(`\n> ${project} tests`);
  const vitest = spawn(
    process.execPath,
    [
      ...['node_modules/vitest/vitest.mjs', 'run', '--project', project],
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    ],
    { cwd: ROOT, stdio: ['ignore', shown, shown] },
  );
  let output = '';
  vitest.stdout?.on('data', (text) => (output += text));
  vitest.stderr?.on('data', (text) => (output += text));
  const [status] = await once(vitest, 'close');
  if (lane !== 0) console.log(`\n> ${project} tests\n${output}`);
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
