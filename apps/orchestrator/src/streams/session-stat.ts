import { EngineBadReplyError, EngineClient, type EngineError, type PlaybackStat, UnknownSessionError } from '@acexy/engine-client';
import { Injectable } from '@nestjs/common';
import type { Engine } from '../engines/engine-registry.js';
import type { Stream } from './stream-book.js';

/** Where engines answer for a session. Anything else that an event calls a stat URL might be an order to the engine. */
const STAT_PATH = /^\/ace\/stat\/./;
const LIMIT_MS = 3000;

/** Whether its engine can be asked about the session. */
export function hasStat({ statUrl }: Stream): boolean {
  return URL.canParse(statUrl) && STAT_PATH.test(new URL(statUrl).pathname);
}

/** One question to an engine: how does this session do? */
@Injectable()
export class SessionStat {
  /**
   * Asked at the address that we know of the engine: of what an event named only the path is used.
   * @throws EngineError, or the reason of `signal`
   */
  ask(engine: Engine, stream: Stream, signal: AbortSignal): Promise<PlaybackStat> {
    const { host, port } = engine.instance;
    return new EngineClient({ host, port }, { timeoutMs: LIMIT_MS }).stat(stream, signal);
  }
}

/** "unknown playback session id", or 404 as some engines say it. */
export function saysGone(error: EngineError): boolean {
  return error instanceof UnknownSessionError || (error instanceof EngineBadReplyError && error.status === 404);
}
