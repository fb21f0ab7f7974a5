/**
 * Mutation tests: makes small errors in policies, ring buffer, circuit breaker and access checks, one at a time, and runs the unit tests of the file.
 * A mutant that survives is an error that no test would notice. `npm run mutate` checks all files, `npm run mutate -- ring breaker` those whose path
 * contains one of the words. Exits with 1 if a mutant survives that scripts/mutation/equivalents.json does not list with a reason.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createVitest } from 'vitest/node';
import { mutantsOf } from './mutants.mjs';

/** Longer means that the mutant never comes to an end: its tests take at most seconds. */
const LIMIT_MS = 60_000;
const HTTP = 'libs/service-kit/src/http';
const BROADCAST = 'apps/proxy/src/broadcast';
const ORCHESTRATOR = 'apps/orchestrator/src';
/**
 * Files that are no policies, and policies whose tests have other names. Each test is the path of a file or a part of it: Vitest does not expand
 * patterns here, so a path with `*` names no file.
 */
const MORE = new Map([
  [`${HTTP}/secret-set.ts`, [`${HTTP}/secret-set.spec.ts`]],
  [`${HTTP}/bearer.guard.ts`, [`${HTTP}/bearer.guard.spec.ts`, `${HTTP}/http.spec.ts`]],
  ['apps/proxy/src/http/access.middleware.ts', ['apps/proxy/src/http/access.middleware.spec.ts']],
  ['apps/proxy/src/http/access.request.ts', ['apps/proxy/src/http/access.spec.ts']],
  [`${BROADCAST}/buffer/ring.ts`, [`${BROADCAST}/buffer/ring.spec.ts`]],
  ['apps/proxy/src/sessions/failover/media-lead.ts', ['apps/proxy/src/sessions/failover/media-lead.spec.ts']],
  ['apps/proxy/src/sessions/failover/engine-cooldowns.ts', ['apps/proxy/src/sessions/failover/engine-cooldowns.spec.ts']],
  [`${ORCHESTRATOR}/provisioning/circuit-breaker.ts`, [`${ORCHESTRATOR}/provisioning/circuit-breaker.spec.ts`]],
  [`${ORCHESTRATOR}/docker-filter/container-create.policy.ts`, [`${ORCHESTRATOR}/docker-filter/docker-filter.policy.spec.ts`]],
  [
    'libs/orchestrator-client/src/retry.policy.ts',
    ['retry.policy', 'retries'].map((name) => `libs/orchestrator-client/src/${name}.spec.ts`),
  ],
  ['apps/engine-simulator/src/sessions/player.policy.ts', ['apps/engine-simulator/src/sessions/sessions.spec.ts']],
]);

const root = fileURLToPath(new URL('../..', import.meta.url));
process.chdir(root);
const words = process.argv.slice(2);
const policies = execFileSync('git', ['ls-files', 'apps/*/src/*.policy.ts', 'libs/*/src/*.policy.ts'], { encoding: 'utf8' })
  .split('\n')
  .filter(Boolean);
const ownSpec = (file) => file.replace(/\.ts$/, '.spec.ts');
const untested = policies.filter((file) => !MORE.has(file) && !existsSync(ownSpec(file)));
if (untested.length > 0) throw new Error(`no test for ${untested.join(', ')}: add a .spec.ts beside it, or name its tests in MORE`);
const files = [...new Set([...policies, ...MORE.keys()])].filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
const equivalents = JSON.parse(readFileSync('scripts/mutation/equivalents.json', 'utf8'));

/** One process runs all mutants: starting Vitest for each mutant took several times as long as the tests. */
let vitest = null;

/** @returns whether the tests pass with the mutant */
async function passes(file, specs, mutant) {
  vitest ??= await createVitest('test', { config: 'scripts/mutation/vitest.config.mjs', root: '.', watch: false, reporters: [{}] });
  // The plugin in vitest.config.mjs reads it.
  globalThis.mutant = mutant === null ? undefined : { file, ...mutant };
  vitest.invalidateFile(resolve(file));
  const found = await vitest.globTestSpecifications(specs);
  if (found.length === 0) throw new Error(`${file}: no test file matches ${specs.join(', ')}`);
  const run = vitest.runTestSpecifications(found, true);
  let timer;
  const limit = new Promise((done) => (timer = setTimeout(done, LIMIT_MS, null)));
  const result = await Promise.race([run, limit]);
  clearTimeout(timer);
  if (result === null) {
    run.catch(() => undefined);
    void vitest.close().catch(() => undefined);
    vitest = null;
    return false;
  }
  return result.unhandledErrors.length === 0 && result.testModules.every((module) => module.ok());
}

const survivors = [];
const stale = new Set(Object.keys(equivalents));
let count = 0;
for (const file of files) {
  const source = readFileSync(file, 'utf8');
  const lines = source.split('\n');
  const specs = MORE.get(file) ?? [ownSpec(file)];
  const mutants = mutantsOf(source, file);
  if (!(await passes(file, specs, null))) throw new Error(`${file}: its tests fail without a mutant (${specs.join(', ')})`);
  const alive = [];
  for (const mutant of mutants) {
    const key = `${file}: ${lines[mutant.line - 1].trim()} [${mutant.before} -> ${mutant.text}]`;
    if (await passes(file, specs, mutant)) alive.push({ ...mutant, key });
  }
  // A new instance for each file: failures of the file before would count for the next one, and end its run.
  await vitest?.close();
  vitest = null;
  for (const { key } of alive) stale.delete(key);
  const unjudged = alive.filter(({ key }) => equivalents[key] === undefined);
  count += mutants.length;
  survivors.push(...unjudged);
  console.log(
    `${file}: ${mutants.length - alive.length} of ${mutants.length} mutants noticed, ${alive.length - unjudged.length} judged equivalent`,
  );
  for (const { line, key } of unjudged) console.log(`  survives in line ${line}: ${key.slice(file.length + 2)}`);
}
const outdated = words.length > 0 ? [] : [...stale];
for (const key of outdated) console.log(`no longer survives, remove it from equivalents.json: ${key}`);
console.log(`${count} mutants, ${survivors.length} survive without a reason`);
// A mutant without an end may still keep a thread busy.
process.exit(survivors.length + outdated.length > 0 ? 1 : 0);
