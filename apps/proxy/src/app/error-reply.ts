/** Maps each error of the proxy to its HTTP reply. The only place that knows status codes of errors. */
import { HttpStatus } from '@nestjs/common';
import type { ErrorReply } from '@acexy/service-kit';
import { NoPlaylistError } from '../hls/hls-stream.js';
import { NoEngineError } from '../selection/engine-selector.js';
import {
  EnginesRefusedError,
  EnginesSilentError,
  MemoryFullError,
  ShuttingDownError,
  StreamEndedError,
  TooManyViewersError,
} from '../sessions/errors.js';
import type { FailedAttempt } from '../sessions/start/start.plan.js';
import { PlaybackRequestError } from '../http/getstream.request.js';

/** Retry-After in seconds if the error does not give one. */
const RETRY_AFTER_S = 5;

export function playbackErrorReply(error: unknown): ErrorReply | null {
  if (error instanceof PlaybackRequestError) return { status: HttpStatus.BAD_REQUEST, detail: error.message };
  if (error instanceof NoEngineError) return unavailable(error, error.retryAfterSeconds);
  if (error instanceof ShuttingDownError || error instanceof TooManyViewersError || error instanceof MemoryFullError)
    return unavailable(error, RETRY_AFTER_S);
  if (error instanceof StreamEndedError) return failed(HttpStatus.BAD_GATEWAY, error);
  if (error instanceof NoPlaylistError) return failed(HttpStatus.GATEWAY_TIMEOUT, error);
  if (error instanceof EnginesRefusedError) return failed(HttpStatus.BAD_GATEWAY, error, { engines: toEngines(error.attempts) });
  if (error instanceof EnginesSilentError) return failed(HttpStatus.GATEWAY_TIMEOUT, error, { engines: toEngines(error.attempts) });
  return null;
}

function unavailable(error: Error, retryAfter: number): ErrorReply {
  const headers = { 'Retry-After': String(retryAfter) };
  return { ...failed(HttpStatus.SERVICE_UNAVAILABLE, error, { retry_after: retryAfter }), headers };
}

function failed(status: number, { message }: Error, body: Record<string, unknown> = {}): ErrorReply {
  return { status, detail: message, body: { error: message, ...body } };
}

function toEngines(attempts: readonly FailedAttempt[]): object[] {
  return attempts.map(({ engineId, kind, reason }) => ({ engine: engineId, kind, reason }));
}
