/** Logs what goes wrong while another engine is searched: a warning when it is new for its engine, else only at the debug level. */
import type { Log, LogFields } from '@acexy/service-kit';
import { messageOf } from '@acexy/service-kit/primitives';
import type { SourceAttemptResult } from './next-source.js';

type FailedSearch = Exclude<SourceAttemptResult, { kind: 'spliced' }>;

export class SearchLog {
  /** By engine id; the empty id stands for the search itself. */
  private readonly known = new Map<string, string>();

  constructor(private readonly log: Log) {}

  /** @param silentMs time for which viewers have had no bytes */
  add(result: FailedSearch, silentMs: number): void {
    switch (result.kind) {
      case 'no-engine':
        return this.warn('', 'no engine for failover', { error: messageOf(result.error), silent_ms: Math.round(silentMs) });
      case 'failed':
        return this.warn(result.engineId, 'failover attempt failed', { error: messageOf(result.error) });
      case 'refused':
        return this.warn(result.engineId, 'codec changed, cannot splice', { ...result.refusal });
      default: {
        const unknown: never = result;
        throw new TypeError(`unknown result: ${String(unknown)}`);
      }
    }
  }

  /** The search is over: the next one logs everything again. */
  clear(): void {
    this.known.clear();
  }

  private warn(engineId: string, event: string, fields: LogFields): void {
    // Without the numbers: the same error may name another duration each time.
    const problem = `${event} ${String(fields.error)}`.replaceAll(/\d/g, '');
    const isNew = this.known.get(engineId) !== problem;
    this.known.set(engineId, problem);
    const all = engineId === '' ? fields : { engine_id: engineId, ...fields };
    if (isNew) this.log.warn(event, all);
    else this.log.debug(event, all);
  }
}
