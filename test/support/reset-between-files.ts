/**
 * Unit test files share one module registry per worker, so that Nest is loaded once and not per file. After each file this removes what a
 * file may leave in the process: fake timers, spies, environment variables and registered metrics.
 */
import fc from 'fast-check';
import { register } from 'prom-client';
import { afterAll, vi } from 'vitest';

/** On a busy machine a property test makes fewer runs instead of exceeding the time limit of its test. */
fc.configureGlobal({ interruptAfterTimeLimit: 5000 });

const environment = { ...process.env };

afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
  register.clear();
});
