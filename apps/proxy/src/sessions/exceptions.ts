/** Exceptions in the proxy's own code: each ends one source, viewer or stream, never the process. */
import type { Log } from '@acexy/service-kit';
import type { EmitSessionEvent, ExceptionPart } from './session-events.js';

export type ReportException = (ended: ExceptionPart, error: unknown) => void;

/** Logs each exception with its stack and counts it. */
export function exceptionReporter(log: Log, emit: EmitSessionEvent): ReportException {
  return (ended, error) => {
    log.error('unexpected exception', { ended, error });
    emit({ type: 'exception', ended });
  };
}
