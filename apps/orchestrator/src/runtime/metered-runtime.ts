import { histogramOf } from '@acexy/service-kit';
import { communicationErrors } from './communication-errors.js';
import {
  type EngineImage,
  type EngineInstance,
  type EngineRuntime,
  type EngineSpec,
  type RuntimeEvent,
  RuntimeFailedError,
} from './engine-runtime.js';

/** Seconds: a list takes milliseconds, a container that stops slowly takes tens of seconds. */
const CALL_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Times the calls to a runtime and counts its failures. */
export class MeteredRuntime implements EngineRuntime {
  private readonly errors = communicationErrors();
  private readonly calls = histogramOf('orch_runtime_call_seconds', 'Duration of calls to the engine runtime', CALL_BUCKETS, [
    'call',
    'success',
  ]);

  constructor(private readonly runtime: EngineRuntime) {}

  get name(): EngineRuntime['name'] {
    return this.runtime.name;
  }

  get networkOwners(): EngineRuntime['networkOwners'] {
    return this.runtime.networkOwners;
  }

  open(): Promise<void> {
    return this.runtime.open();
  }

  preparing(): string | null {
    return this.runtime.preparing();
  }

  image(): EngineImage | null {
    return this.runtime.image();
  }

  start(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance> {
    return this.timed('start', () => this.runtime.start(spec, signal));
  }

  list(): Promise<EngineInstance[]> {
    return this.timed('list', () => this.runtime.list());
  }

  remove(id: string, graceMs: number): Promise<void> {
    return this.timed('remove', () => this.runtime.remove(id, graceMs));
  }

  watch(listener: (event: RuntimeEvent) => void): () => void {
    return this.runtime.watch(listener);
  }

  close(): Promise<void> {
    return this.runtime.close();
  }

  private async timed<T>(call: 'start' | 'list' | 'remove', run: () => Promise<T>): Promise<T> {
    const end = this.calls.startTimer({ call });
    try {
      const result = await run();
      end({ success: 'true' });
      return result;
    } catch (error) {
      end({ success: 'false' });
      if (error instanceof RuntimeFailedError) this.errors.inc({ source: this.name, error_type: error.code });
      throw error;
    }
  }
}
