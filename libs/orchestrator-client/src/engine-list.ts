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
  /** The orchestrator did not answer: this is its last list. */
  stale: boolean;
}

/** Source of a list: a 200, a 304, the cache within its time to live, or the cache because the orchestrator did not answer. */
export type EngineListOutcome = 'ok' | 'not_modified' | 'cached' | 'stale';

/**
 * `GET /engines` with a cache. Within the time to live it sends nothing. After that it revalidates the list with its ETag, and returns the old
 * list when the orchestrator does not answer.
 *
 * The cache is an axios instance of its own, whose adapter is the instance that retries. Both interceptors on one instance do not work: a retry
 * would answer a failed revalidation instead of the cache, and callers that wait for the cache would never get an answer.
 */
export class CachedEngineList {
  private readonly cache: AxiosCacheInstance;

  constructor(http: AxiosInstance, ttlMs: number) {
    this.cache = setupCache(axios.create({ adapter: (config) => fetchList(http, config) }), {
      ttl: ttlMs,
      // The setting decides, not the headers of the server.
      interpretHeader: false,
      etag: true,
      vary: false,
      // Would send `no-cache`, which makes servers answer 200 with the whole list every time.
      cacheTakeover: false,
      staleIfError: (response) => !isClientError(response?.status),
      // There is only one entry, so it needs no cleanup timer.
      storage: buildMemoryStorage(false, false),
    });
  }

  /** For one caller at a time: the client shares the answer. */
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

/** Adapter of the cache: one request of the retrying instance. */
async function fetchList(http: AxiosInstance, config: InternalAxiosRequestConfig): Promise<AxiosResponse> {
  try {
    const { url, headers, signal, validateStatus } = config;
    const response = await http.get<unknown>(url ?? '', { headers, signal, validateStatus });
    if (response.status !== 304 && !Array.isArray(response.data)) {
      throw new AxiosError('not a list of engines', WRONG_BODY, config, response.request, response);
    }
    return { ...response, config, headers: cacheable(response.headers) };
  } catch (error) {
    // The cache finds its waiting callers by its own config, not by that of the retrying instance.
    const failure = isAxiosError(error) ? error : AxiosError.from(error);
    failure.config = config;
    throw failure;
  }
}

/**
 * Headers that let the cache keep every list. It would drop an expired answer without ETag and Last-Modified, and would not return a stale one
 * with `must-revalidate`.
 */
function cacheable(headers: AxiosResponse['headers']): AxiosHeaders {
  const kept = new AxiosHeaders(headers as AxiosHeaders);
  kept.delete('cache-control');
  if (!kept.has('etag') && !kept.has('last-modified')) kept.set('last-modified', new Date(0).toUTCString());
  return kept;
}

/** The request itself is wrong, so an old list must not hide the error. */
function isClientError(status: number | undefined): boolean {
  return status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429;
}
