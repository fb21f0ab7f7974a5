/**
 * The infohash behind a content id, asked of an engine without starting anything. It matters where an engine carries several streams: starting one
 * content there under a second name would end the first.
 */
import { type EngineAddress, type EngineClient, EngineError } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';

/** null where the engine does not say. @throws the signal's reason */
export type InfohashLookup = (address: EngineAddress, contentId: string, signal: AbortSignal) => Promise<string | null>;

export function infohashLookup(engineApi: (address: EngineAddress) => Pick<EngineClient, 'infohashOf'>, log: Log): InfohashLookup {
  return async (address, contentId, signal) => {
    try {
      return await engineApi(address).infohashOf(contentId, signal);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      // An engine that does not know the call, or not the id, is asked to start: that says what is wrong.
      log.debug('the engine does not say what a content id stands for', { ...address, key: contentId, problem: error.message });
      return null;
    }
  };
}
