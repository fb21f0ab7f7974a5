import { EngineBadReplyError, EngineError, EngineUnreachableError } from './errors.js';
import { MalformedHttpError } from './http-head.js';

/** What a failed exchange means. Parser errors (`HPE_…`) and axios' own verdicts are bad replies, the rest is the network. */
export function toEngineError(what: string, cause: unknown): EngineError {
  if (cause instanceof EngineError) return cause;
  const code = errorCode(cause);
  const message = cause instanceof Error ? cause.message : String(cause);
  if (code.startsWith('HPE_')) return new EngineBadReplyError(what, `malformed HTTP (${code})`, null, { cause });
  if (cause instanceof MalformedHttpError) return new EngineBadReplyError(what, `malformed HTTP (${message})`, null, { cause });
  if (code === 'ERR_BAD_RESPONSE') return new EngineBadReplyError(what, message, null, { cause });
  return new EngineUnreachableError(`${what}: ${code || message}`, { cause });
}

/** The connection was an idle one from the pool, which the engine had closed before our request reached it. */
export function wasClosedWhileIdle(error: unknown): boolean {
  const reused = (error as { request?: { reusedSocket?: boolean } } | null)?.request?.reusedSocket === true;
  return reused && ['ECONNRESET', 'EPIPE'].includes(errorCode(error));
}

function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
