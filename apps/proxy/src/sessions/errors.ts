import { CodedError } from '@acexy/service-kit/primitives';
import type { RequestedContent } from '../http/content-key.js';
import type { EndCause, ViewerLimit } from './session-events.js';
import type { FailedAttempt } from './start/start.plan.js';

/** Why a viewer gets no stream. `app/error-reply.ts` decides the HTTP status. */
export abstract class SessionError extends CodedError {}

abstract class StartFailedError extends SessionError {
  constructor(readonly attempts: readonly FailedAttempt[]) {
    super(attempts.map(({ engineId, reason }) => `${engineId}: ${reason}`).join('; '));
  }
}

/** Every engine that was tried refused the content or gave an invalid answer. */
export class EnginesRefusedError extends StartFailedError {
  readonly code = 'engines_refused';
}

/** At least one engine accepted the start, and none sent media in time. */
export class EnginesSilentError extends StartFailedError {
  readonly code = 'engines_silent';
}

/** The engine was not asked: it is busy with earlier starts, or with the end of an earlier session of the content. */
export class EngineBusyError extends SessionError {
  readonly code = 'engine_busy';
}

/** The stream ended before the viewer got its first byte. */
export class StreamEndedError extends SessionError {
  readonly code = 'stream_ended';
}

export class ShuttingDownError extends SessionError {
  readonly code = 'shutting_down';

  constructor() {
    super('the proxy is shutting down');
  }
}

export class TooManyViewersError extends SessionError {
  readonly code = 'too_many_viewers';

  /** @param max the value of the setting that is reached */
  constructor(
    readonly limit: ViewerLimit,
    max: number,
  ) {
    super(
      limit === 'all'
        ? `too many viewers: the limit is ${max} (ACEXY_MAX_VIEWERS)`
        : `too many viewers of this stream: the limit is ${max} (ACEXY_MAX_VIEWERS_PER_STREAM)`,
    );
  }
}

export class MemoryFullError extends SessionError {
  readonly code = 'memory_full';

  /** @param budgetBytes ACEXY_BUFFER_TOTAL_MAX */
  constructor(what: string, streams: number, budgetBytes: number) {
    super(
      `no memory for ${what}: ${streams} streams use the ${Math.round(budgetBytes / 2 ** 20)} MiB for stream buffers (ACEXY_BUFFER_TOTAL_MAX): ` +
        'try again when a stream has ended, or give the proxy more memory',
    );
  }
}

/** Nobody receives this error: the worker that plays the content gets the connection. */
export class ContentMovedError extends SessionError {
  readonly code = 'content_moved';

  constructor(readonly selector: RequestedContent['selector']) {
    super('another worker plays the content');
  }
}

/** Nobody receives this error: the viewer left while it waited for the stream. */
export class ViewerLeftError extends SessionError {
  readonly code = 'viewer_left';

  constructor() {
    super('the viewer left before the stream started');
  }
}

/** The media of an engine ended, broke or stayed silent before the first packet. */
export class NoStreamError extends SessionError {
  constructor(
    readonly code: 'no_packets' | 'no_transport_stream' | 'media_ended' | 'media_broke' | 'media_failed',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What viewers get that wait for a stream when it ends. */
export function endError(cause: EndCause, reason: string, selector: RequestedContent['selector']): SessionError {
  if (cause === 'shutdown') return new ShuttingDownError();
  return cause === 'moved' ? new ContentMovedError(selector) : new StreamEndedError(reason);
}
