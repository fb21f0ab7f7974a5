import { histogramOf } from '@acexy/service-kit';
import { communicationErrors } from './communication-errors.js';
import { type EngineRuntime, RuntimeFailedError } from './engine-runtime.js';

/** Seconds: a list takes milliseconds, a container that stops slowly takes tens of seconds. */
const CALL_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Replaces the methods of a runtime that call Docker or the system by methods that also time them and count failures. @returns the same runtime */
export function metered(runtime: EngineRuntime): EngineRuntime {
  const errors = communicationErrors();
  const calls = histogramOf('orch_runtime_call_seconds', 'Duration of calls to the engine runtime', CALL_BUCKETS, ['call', 'success']);

  async function timed<T>(call: 'start' | 'list' | 'remove', run: () => Promise<T>): Promise<T> {
    const end = calls.startTimer({ call });
    try {
      const result = await run();
      end({ success: 'true' });
      return result;
    } catch (error) {
      end({ success: 'false' });
      if (error instanceof RuntimeFailedError) errors.inc({ source: runtime.name, error_type: error.code });
      throw error;
    }
  }

  const start = runtime.start.bind(runtime);
  const list = runtime.list.bind(runtime);
  const remove = runtime.remove.bind(runtime);
  runtime.start = (spec, signal) => timed('start', () => start(spec, signal));
  runtime.list = () => timed('list', list);
  runtime.remove = (id, graceMs) => timed('remove', () => remove(id, graceMs));
  return runtime;
}
