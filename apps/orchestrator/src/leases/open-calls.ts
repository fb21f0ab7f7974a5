import { type Clock, pause } from '@acexy/service-kit/primitives';

/** Lease calls that wait for an engine, by request id. */
export class OpenCalls {
  private readonly calls = new Map<string, Set<AbortController>>();

  constructor(private readonly clock: Clock) {}

  /** Resolves after `ms` milliseconds, on `wake`, or when the caller hangs up. */
  async wait(requestId: string, ms: number, hangUp: AbortSignal): Promise<void> {
    const call = new AbortController();
    const calls = this.calls.get(requestId) ?? new Set();
    this.calls.set(requestId, calls.add(call));
    try {
      await pause(this.clock, ms, AbortSignal.any([call.signal, hangUp]));
    } finally {
      calls.delete(call);
      if (calls.size === 0) this.calls.delete(requestId);
    }
  }

  wake(requestId: string): void {
    for (const call of this.calls.get(requestId) ?? []) call.abort();
  }

  wakeAll(): void {
    for (const requestId of this.calls.keys()) this.wake(requestId);
  }
}
