/** Exceptions in the proxy's own code: each ends one source, viewer or stream, never the process. */
import type { Log } from '@acexy/service-kit';
import type { EmitSessionEvent } from './session-events.js';

/** What the exception ended. `none`: a hook or a timer threw, and everything goes on. */
export type ExceptionPart = 'source' | 'viewer' | 'hls' | 'stream' | 'none';

export type ReportException = (ended: ExceptionPart, error: unknown) => void;

/** Logs each exception with its stack and counts it. */
export function exceptionReporter(log: Log, emit: EmitSessionEvent): ReportException {
  return (ended, error) => {
    log.error('unexpected exception', { ended, error });
    emit({ type: 'exception', ended });
  };
}
