/** Maps each error of the proxy to its HTTP reply. The only place that knows status codes of errors. */
import { HttpStatus } from '@nestjs/common';
import type { ErrorReply } from '@acexy/service-kit';
import { NoPlaylistError } from '../hls/errors.js';
import { NoEngineError } from '../selection/engine-selector.js';
import { EnginesRefusedError, EnginesSilentError, ShuttingDownError, StreamEndedError, TooManyViewersError } from '../sessions/errors.js';
import type { FailedAttempt } from '../sessions/start/start.plan.js';
import { PlaybackRequestError } from '../http/getstream.request.js';

/** Retry-After in seconds if the error does not give one. */
const RETRY_AFTER_S = 5;

export function playbackErrorReply(error: unknown): ErrorReply | null {
  if (error instanceof PlaybackRequestError) return { status: HttpStatus.BAD_REQUEST, detail: error.message };
  if (error instanceof NoEngineError) return unavailable(error.message, error.retryAfterSeconds);
  if (error instanceof ShuttingDownError || error instanceof TooManyViewersError) return unavailable(error.message, RETRY_AFTER_S);
  if (error instanceof StreamEndedError) return { status: HttpStatus.BAD_GATEWAY, detail: error.message, body: { error: error.message } };
  if (error instanceof NoPlaylistError)
    return { status: HttpStatus.GATEWAY_TIMEOUT, detail: error.message, body: { error: error.message } };
  if (error instanceof EnginesRefusedError) return failed(HttpStatus.BAD_GATEWAY, error.message, error.attempts);
  if (error instanceof EnginesSilentError) return failed(HttpStatus.GATEWAY_TIMEOUT, error.message, error.attempts);
  return null;
}

function unavailable(text: string, retryAfter: number): ErrorReply {
  return {
    status: HttpStatus.SERVICE_UNAVAILABLE,
    detail: text,
    headers: { 'Retry-After': String(retryAfter) },
    body: { error: text, retry_after: retryAfter },
  };
}

function failed(status: number, text: string, attempts: readonly FailedAttempt[]): ErrorReply {
  return {
    status,
    detail: text,
    body: { error: text, engines: attempts.map(({ engineId, kind, reason }) => ({ engine: engineId, kind, reason })) },
  };
}
