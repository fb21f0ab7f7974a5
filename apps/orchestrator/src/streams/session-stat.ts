import { EngineBadReplyError, EngineClient, type EngineError, type PlaybackStat, UnknownSessionError } from '@acexy/engine-client';
import { Injectable } from '@nestjs/common';
import type { Engine } from '../engines/engine.js';
import type { TrackedStream } from './stream-book.js';

/** Path of an engine's session statistics. A stat URL from an event with any other path could be a command to the engine. */
const STAT_PATH = /^\/ace\/stat\/./;
const TIMEOUT_MS = 3000;

/** Whether the engine can be asked for the statistics of the session. */
export function hasStat({ statUrl }: TrackedStream): boolean {
  return URL.canParse(statUrl) && STAT_PATH.test(new URL(statUrl).pathname);
}

@Injectable()
export class SessionStat {
  /**
   * Asks at the registered address of the engine; only the path of the stat URL comes from the client.
   * @throws EngineError, or the signal's reason
   */
  ask(engine: Engine, stream: TrackedStream, signal: AbortSignal): Promise<PlaybackStat> {
    const { host, port } = engine.instance;
    return new EngineClient({ host, port }, { timeoutMs: TIMEOUT_MS }).stat(stream, signal);
  }
}

/** The engine does not know the session: "unknown playback session id", or 404 from some engines. */
export function saysGone(error: EngineError): boolean {
  return error instanceof UnknownSessionError || (error instanceof EngineBadReplyError && error.status === 404);
}
