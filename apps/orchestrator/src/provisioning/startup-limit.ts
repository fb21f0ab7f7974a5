import type { EngineInstance, EngineRuntime, EngineSpec } from '../runtime/engine-runtime.js';

class StartupTimeoutError extends Error {
  readonly code = 'startup_timeout';

  constructor(limitMs: number) {
    super(`the container did not run within ${limitMs / 1000} s (STARTUP_TIMEOUT_S)`);
    this.name = 'StartupTimeoutError';
  }
}

/**
 * Starts within a limit of its own, and leaves nothing behind where that or `signal` gives it up.
 * @throws the reason of `signal`, a timeout, or what the runtime says
 */
export async function startWithin(limitMs: number, runtime: EngineRuntime, spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance> {
  const startup = new AbortController();
  const limit = setTimeout(() => startup.abort(new StartupTimeoutError(limitMs)), limitMs);
  const either = AbortSignal.any([signal, startup.signal]);
  try {
    const instance = await runtime.start(spec, either);
    if (!either.aborted) return instance;
    // It came up in the very moment it was given up: nobody would ever know of it.
    await runtime.remove(instance.id, 0);
    throw either.reason;
  } catch (error) {
    throw either.aborted ? either.reason : error;
  } finally {
    clearTimeout(limit);
  }
}
