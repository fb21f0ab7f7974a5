/**
 * The infohash behind a content id, asked of an engine without starting anything (`analyze_content` of the engines' documented server API).
 * It matters where an engine carries several streams: starting one content there under a second name would end the first.
 */
import { type EngineAddress, engineOrigin } from '@acexy/engine-client';

export type InfohashLookup = (address: EngineAddress, contentId: string, signal: AbortSignal) => Promise<string | null>;

/** Looking an id up takes an engine from a tenth of a second to several. */
const TIMEOUT_MS = 5000;
const INFOHASH = /^[0-9a-f]{40}$/i;

/** null where the engine does not say. @throws the signal's reason */
export const lookUpInfohash: InfohashLookup = async (address, contentId, signal) => {
  const url = new URL('/server/api?api_version=3&method=analyze_content', engineOrigin(address));
  url.searchParams.set('query', `acestream://${contentId}`);
  try {
    const reply = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]), redirect: 'error' });
    const { result } = (await reply.json()) as { result?: { infohash?: unknown } };
    const infohash = result?.infohash;
    return typeof infohash === 'string' && INFOHASH.test(infohash) ? infohash.toLowerCase() : null;
  } catch {
    signal.throwIfAborted();
    // An engine that does not know the call, or not the id, is asked to start: that says what is wrong.
    return null;
  }
};
