import type { FailedAttempt } from './start/start.plan.js';
import type { FullScope } from './viewer-limits.policy.js';

/** Why a viewer gets no stream. `code` is stable; the HTTP status is decided where HTTP is spoken. */
export abstract class SessionError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Every engine tried said no, or answered nonsense. */
export class EnginesRefusedError extends SessionError {
  readonly code = 'engines_refused';

  constructor(readonly attempts: readonly FailedAttempt[]) {
    super(describe(attempts));
  }
}

/** Engines took the start and sent no stream in time. */
export class EnginesSilentError extends SessionError {
  readonly code = 'engines_silent';

  constructor(readonly attempts: readonly FailedAttempt[]) {
    super(describe(attempts));
  }
}

/** The stream ended between its start and the viewer's first byte. */
export class StreamEndedError extends SessionError {
  readonly code = 'stream_ended';
}

/** The proxy takes no new viewers any more. */
export class ShuttingDownError extends SessionError {
  readonly code = 'shutting_down';

  constructor() {
    super('the proxy is shutting down');
  }
}

/** As many viewers as may be are there already. */
export class TooManyViewersError extends SessionError {
  readonly code = 'too_many_viewers';

  /** @param limit how many there may be */
  constructor(
    readonly scope: FullScope,
    limit: number,
  ) {
    super(
      scope === 'all'
        ? `too many viewers: all ${limit} places are taken (ACEXY_MAX_VIEWERS)`
        : `too many viewers of this stream: all ${limit} places are taken (ACEXY_MAX_VIEWERS_PER_STREAM)`,
    );
  }
}

/** The viewer left while it was waiting; nobody is there to be told. */
export class ViewerLeftError extends SessionError {
  readonly code = 'viewer_left';

  constructor() {
    super('the viewer left before the stream began');
  }
}

/** An engine's media held no stream: ended, broke or stayed silent before the first packet. */
export class NoStreamError extends SessionError {
  constructor(
    readonly code: 'no_packets' | 'media_ended' | 'media_broke',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

function describe(attempts: readonly FailedAttempt[]): string {
  return attempts.map(({ engineId, reason }) => `${engineId}: ${reason}`).join('; ');
}
