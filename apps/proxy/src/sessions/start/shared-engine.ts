/**
 * Prevents two sessions of one content on one engine: there, a second start ends the first one, and a stop ends both. A content has several names, so
 * the sessions that share an engine are compared by infohash before one of them starts.
 */
import { type Clock, within } from '@acexy/service-kit/primitives';
import { type RequestedContent, contentKey } from '../../http/content-key.js';
import type { EngineSession } from '../engine-session.js';
import { EngineBusyError } from '../errors.js';
import type { EngineSharer, StartingStream } from '../session-context.js';

/** Longest wait for the infohash of a content. An engine that does not answer this does mostly not start the content either. */
const LOOKUP_MS = 2000;

/**
 * Whether the engine may be asked to start the stream. False: another session plays the content, see {@link StartingStream.identify}.
 * @param waitMs longest wait for the end of an earlier session of the content
 * @throws EngineBusyError when the engine has another session of the content; the signal's reason, also when the stream joins another session
 */
export async function mayStart(
  stream: StartingStream,
  engine: EngineSession,
  clock: Clock,
  waitMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const sharers = stream.sharersOf(engine.leased.address);
  if (sharers.length === 0) return true;
  const [infohash, ...others] = await infohashesOf([{ session: stream, engine }, ...sharers], clock, signal);
  if (infohash === null) return true;
  if (!stream.identify(infohash)) return false;
  for (const [index, sharer] of sharers.entries()) {
    if (others[index] === infohash) await settle(stream.content, infohash, sharer, clock, waitMs, signal);
  }
  return true;
}

/** Resolves when a session of the same content no longer prevents the start. */
async function settle(
  content: RequestedContent,
  infohash: string,
  { session, engine, isOlder }: EngineSharer,
  clock: Clock,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (!session.isOpen) {
    // Its stop would end the new session, too.
    const onLimit = (): Error => new EngineBusyError(`not asked: it had not stopped the same content within ${Math.round(waitMs)} ms`);
    return within(clock, engine.close(), waitMs, onLimit, signal);
  }
  if (contentKey('infohash', infohash, session.content.variant) !== contentKey('infohash', infohash, content.variant)) {
    // Of two variants that wait for this check, the older one starts.
    if (isOlder || session.progress > 0) throw new EngineBusyError('not asked: it plays another variant of the same content');
    return;
  }
  // The other session is further: this one joins it, and its signal aborts.
  session.identify(infohash);
  signal.throwIfAborted();
}

/** The infohashes of the contents; null for those that the engine does not know in time. */
async function infohashesOf(
  sessions: readonly { session: Pick<StartingStream, 'names' | 'content'>; engine: EngineSession }[],
  clock: Clock,
  signal: AbortSignal,
): Promise<(string | null)[]> {
  const known = sessions.map(({ session }) => session.names.infohash);
  const lookups = sessions.map(async ({ session, engine }, index) => {
    known[index] ??= (await engine.describe(session.content))?.infohash ?? null;
  });
  const late = new Error('no answer in time');
  await within(clock, Promise.all(lookups), LOOKUP_MS, () => late, signal).catch((error: unknown) => {
    if (error !== late) throw error;
  });
  return known;
}
