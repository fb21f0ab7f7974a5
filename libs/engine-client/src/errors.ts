import { CodedError, messageOf } from '@acexy/service-kit/primitives';
import { MalformedHttpError } from './http-head.js';
import { UnreadableBodyError } from './text-reply.js';

/** A failed call to an engine. A call that its caller aborts rejects with the reason of the caller's signal instead. */
export abstract class EngineError extends CodedError {}

/** The connection failed: refused, reset, no route, or the name does not resolve. The system's error is the `cause`. */
export class EngineUnreachableError extends EngineError {
  readonly code = 'engine_unreachable';
}

/** What took too long: a whole JSON `reply`, or the `headers` of the media, redirects included. */
export type EngineTimeoutPhase = 'reply' | 'headers';

/** The engine did not answer in time. */
export class EngineTimeoutError extends EngineError {
  readonly code = 'engine_timeout';

  constructor(
    what: string,
    readonly phase: EngineTimeoutPhase,
    /** milliseconds */
    readonly limitMs: number,
  ) {
    super(`${what}: no ${phase} within ${limitMs} ms`);
  }
}

/** The engine answered with an error. `reason` is its error text. */
export abstract class EngineAnswerError extends EngineError {
  constructor(
    what: string,
    readonly reason: string,
  ) {
    super(`${what}: ${reason}`);
  }
}

/** The engine rejects the request, for example with "failed to load content". */
export class EngineRefusedError extends EngineAnswerError {
  readonly code = 'engine_refused';
}

/** The media are not ready yet, for example "download not found": the same URL may deliver later. For a dead source this never changes. */
export class EngineStillPreparingError extends EngineAnswerError {
  readonly code = 'engine_still_preparing';
}

/** The reply is not an answer to the call: not JSON, cut off, too long, a missing field, or an unexpected status. */
export class EngineBadReplyError extends EngineError {
  readonly code = 'engine_bad_reply';

  constructor(
    what: string,
    problem: string,
    /** HTTP status; null when there was none. */
    readonly status: number | null,
    options?: ErrorOptions,
  ) {
    super(`${what}: ${problem}`, options);
  }
}

/** The session no longer exists: it was stopped, superseded or reaped. */
export class UnknownSessionError extends EngineError {
  readonly code = 'engine_unknown_session';
}

/** The EngineError for a failed exchange. Parser errors (`HPE_…`) and unreadable bodies are bad replies, all others are network failures. */
export function toEngineError(what: string, cause: unknown): EngineError {
  if (cause instanceof EngineError) return cause;
  const code = errorCode(cause);
  const message = messageOf(cause);
  if (code.startsWith('HPE_')) return new EngineBadReplyError(what, `malformed HTTP (${code})`, null, { cause });
  if (cause instanceof MalformedHttpError) return new EngineBadReplyError(what, `malformed HTTP (${message})`, null, { cause });
  if (cause instanceof UnreadableBodyError) return new EngineBadReplyError(what, message, null, { cause });
  return new EngineUnreachableError(`${what}: ${code || message}`, { cause });
}

function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
