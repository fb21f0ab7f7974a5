import type { EngineSpec } from '../engine-runtime.js';
import { RuntimeFailedError } from '../engine-runtime.js';

/** What an engine process inherits from us. A list of what is allowed: keys and database addresses must never get there. */
const INHERITED = /^(PATH|HOME|USER|TZ|LANG|LC_[A-Z]+|TMPDIR|SIM_[A-Z0-9_]+)$/;
/** These decide which program runs, as whom we run; whoever may ask for an engine may not therefore run programs of his own here. */
const NOT_BY_REQUEST = /^(PATH|HOME|NODE_[A-Z_]+|LD_[A-Z_]+|DYLD_[A-Z_]+|PYTHON[A-Z]+|BASH_ENV|ENV)$/;

/** @throws RuntimeFailedError where the spec names a variable that a request must not set */
export function engineEnvironment(spec: EngineSpec, ours: NodeJS.ProcessEnv): Record<string, string> {
  const forbidden = Object.keys(spec.env).find((name) => NOT_BY_REQUEST.test(name));
  if (forbidden) throw new RuntimeFailedError(`${forbidden} cannot be set for an engine that runs as a local process`);
  const inherited = Object.entries(ours).filter((entry): entry is [string, string] => INHERITED.test(entry[0]) && entry[1] !== undefined);
  return { ...Object.fromEntries(inherited), ...spec.env };
}
