import type { EngineState } from '@acexy/contracts';
import axios, {
  AxiosError,
  AxiosHeaders,
  isAxiosError,
  type AxiosInstance,
  type AxiosResponse,
  type InternalAxiosRequestConfig,
} from 'axios';
import { buildMemoryStorage, setupCache, type AxiosCacheInstance, type CacheAxiosResponse } from 'axios-cache-interceptor';
import { WRONG_BODY } from './failures.js';
import { parseEngines } from './replies.js';

export interface EngineList {
  engines: EngineState[];
  /** The orchestrator did not answer; this is what it said last. */
  stale: boolean;
}

/** Where an answer came from: the network, the network with a 304, memory within its time, or memory for want of anything newer. */
export type EngineListOutcome = 'ok' | 'not_modified' | 'cached' | 'stale';

/**
 * `GET /engines` with a memory: within the time to live nothing is sent, afterwards the list is asked for with its ETag, and while the
 * orchestrator is away the last list serves.
 *
 * The cache is an instance of its own whose adapter is the instance that retries. On one instance the two interceptors would meet: the
 * retry answers a failed revalidation in place of the cache, whose waiting callers are then never told.
 */
export class CachedEngineList {
  private readonly cache: AxiosCacheInstance;

  constructor(http: AxiosInstance, ttlMs: number) {
    this.cache = setupCache(axios.create({ adapter: (config) => fetchList(http, config) }), {
      ttl: ttlMs,
      // The setting says how long, not the server's header.
      interpretHeader: false,
      etag: true,
      vary: false,
      // Would ask for `no-cache`, which makes servers answer 200 with the whole list for ever.
      cacheTakeover: false,
      staleIfError: (response) => !isDefinite(response?.status),
      // One entry, looked after by its own reads: no cleaning timer.
      storage: buildMemoryStorage(false, false),
    });
  }

  /** One caller at a time; who shares the answer is the client's business. */
  async get(signal: AbortSignal): Promise<EngineList & { outcome: EngineListOutcome }> {
    const response = await this.cache.get<unknown>('/engines', { signal });
    const stale = response.stale === true;
    return { engines: parseEngines(response.data), stale, outcome: stale ? 'stale' : toOutcome(response) };
  }
}

/** Only an answer from the network has a request. */
function toOutcome({ request, cached }: CacheAxiosResponse): EngineListOutcome {
  if (!request) return 'cached';
  return cached ? 'not_modified' : 'ok';
}

/** The cache's adapter: one exchange by the retrying instance, its answer and its failure told as the cache's own. */
async function fetchList(http: AxiosInstance, config: InternalAxiosRequestConfig): Promise<AxiosResponse> {
  try {
    const { url, headers, signal, validateStatus } = config;
    const response = await http.get<unknown>(url ?? '', { headers, signal, validateStatus });
    if (response.status !== 304 && !Array.isArray(response.data)) {
      throw new AxiosError('not a list of engines', WRONG_BODY, config, response.request, response);
    }
    return { ...response, config, headers: keepable(response.headers) };
  } catch (error) {
    // The cache finds its waiting callers by its own config; a failure that bears the inner one would leave them waiting.
    const failure = isAxiosError(error) ? error : AxiosError.from(error);
    failure.config = config;
    throw failure;
  }
}

/**
 * The headers as the cache should see them. It drops an expired answer that has neither ETag nor Last-Modified, and never shows one again
 * whose Cache-Control says `must-revalidate`; but an old list is worth having whoever answered and whatever stands in between.
 */
function keepable(headers: AxiosResponse['headers']): AxiosHeaders {
  const kept = new AxiosHeaders(headers as AxiosHeaders);
  kept.delete('cache-control');
  if (!kept.has('etag') && !kept.has('last-modified')) kept.set('last-modified', new Date(0).toUTCString());
  return kept;
}

/** A client's mistake stays one however often the old list is shown; anything else is the orchestrator being away. */
function isDefinite(status: number | undefined): boolean {
  return status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429;
}
