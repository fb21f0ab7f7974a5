/** What can go wrong between us and an engine. `code` is stable: for logs, metrics and decisions. */
export type EngineErrorCode =
  'engine_unreachable' | 'engine_timeout' | 'engine_refused' | 'engine_bad_reply' | 'engine_unknown_session' | 'engine_still_preparing';

/** Any failure of a call to an engine. An abort by the caller is none: it rejects with the reason of the caller's signal. */
export abstract class EngineError extends Error {
  abstract readonly code: EngineErrorCode;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No conversation took place: refused, reset, no route, name not resolved. The system's error is the `cause`. */
export class EngineUnreachableError extends EngineError {
  readonly code = 'engine_unreachable';
}

/** Which limit ran out: `reply` is a whole JSON reply, `headers` the status line of the media, redirects included. */
export type EngineTimeoutPhase = 'reply' | 'headers';

/** The engine accepted the connection, or did not even that, and then said nothing in time. */
export class EngineTimeoutError extends EngineError {
  readonly code = 'engine_timeout';

  constructor(
    what: string,
    readonly phase: EngineTimeoutPhase,
    /** milliseconds */
    readonly limitMs: number,
    options?: ErrorOptions,
  ) {
    super(`${what}: no ${phase} within ${limitMs} ms`, options);
  }
}

/** The engine understood and said no. */
export class EngineRefusedError extends EngineError {
  readonly code = 'engine_refused';

  constructor(
    what: string,
    /** The engine's own words, e.g. "failed to load content". */
    readonly reason: string,
    /** The HTTP status; the engine's JSON calls refuse with 200. */
    readonly status: number,
  ) {
    super(`${what}: ${reason}`);
  }
}

/** What came back is no answer to the question: not JSON, cut off, too long, a field missing, a status that means nothing. */
export class EngineBadReplyError extends EngineError {
  readonly code = 'engine_bad_reply';

  constructor(
    what: string,
    readonly problem: string,
    /** The HTTP status, where there was one. */
    readonly status: number | null,
    options?: ErrorOptions,
  ) {
    super(`${what}: ${problem}`, options);
  }
}

/** The session is gone: stopped, superseded or reaped. */
export class UnknownSessionError extends EngineError {
  readonly code = 'engine_unknown_session';
}

/** The media are not there yet; the same URL may deliver when asked again. A dead source says this for ever. */
export class EngineStillPreparingError extends EngineError {
  readonly code = 'engine_still_preparing';

  constructor(
    what: string,
    /** The engine's own words: "download not found" or "start timeout". */
    readonly reason: string,
    readonly status: number,
  ) {
    super(`${what}: ${reason}`);
  }
}
