import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import axios, { type AxiosError, type AxiosInstance } from 'axios';
import axiosRetry from 'axios-retry';
import { isConsideredRefusal, parseRetryAfter } from './failures.js';
import type { RetryBudget } from './retry-budget.js';
import { MAX_RETRIES, isWorthRetrying, retryDelayMs } from './retry.policy.js';

/** The longest list of engines is far below; this is where we stop believing that a reply ends. */
const MAX_REPLY_BYTES = 8 * 1024 * 1024;
const MAX_CONNECTIONS = 128;
/** Leases wait on their connections, one each: as many as the orchestrator lets wait. They are apart, or reports would wait behind them. */
const MAX_WAITING = 1000;

export interface Transport {
  /** Retries what fails, within the budget and the request's `timeout`. Pass `NEVER_AGAIN` for what must not be repeated. */
  http: AxiosInstance;
  /** Request settings of a call that must not be repeated. */
  once: { 'axios-retry': { retries: 0 }; httpAgent: HttpAgent; httpsAgent: HttpsAgent };
  /** Request settings of a call whose answer may take long. */
  waits: { httpAgent: HttpAgent; httpsAgent: HttpsAgent };
  destroy(): void;
}

export interface TransportOptions {
  url: string;
  apiKey?: string;
  timeoutMs: number;
  budget: RetryBudget;
  random: () => number;
}

/** Connections and the instance that retries. The cache (engine-list.ts) is another instance on top of this one. */
export function createTransport({ url, apiKey, timeoutMs, budget, random }: TransportOptions): Transport {
  const kept = { keepAlive: true, maxSockets: MAX_CONNECTIONS, maxFreeSockets: 8, timeout: 30_000 };
  // An idle connection may be closed by the other side just when it is used; what is not repeated must not meet that.
  const fresh = { keepAlive: false, maxSockets: MAX_CONNECTIONS };
  const agents = { httpAgent: new HttpAgent(kept), httpsAgent: new HttpsAgent(kept) };
  const waiting = { ...kept, maxSockets: MAX_WAITING };
  const waits = { httpAgent: new HttpAgent(waiting), httpsAgent: new HttpsAgent(waiting) };
  const once = { httpAgent: new HttpAgent(fresh), httpsAgent: new HttpsAgent(fresh) };
  const http = axios.create({
    ...agents,
    baseURL: url,
    timeout: timeoutMs,
    transitional: { clarifyTimeoutError: true },
    proxy: false,
    maxRedirects: 0,
    maxContentLength: MAX_REPLY_BYTES,
    headers: { Accept: 'application/json', ...(apiKey ? { Authorization: `Bearer ${apiKey}` } : {}) },
  });
  axiosRetry(http, {
    retries: MAX_RETRIES,
    // The time for all attempts is one; a wait that would not fit into what is left ends the call at once.
    shouldResetTimeout: false,
    retryCondition: (error: AxiosError) =>
      isWorthRetrying({
        status: error.response?.status ?? null,
        failure: error.code ?? null,
        refused: isConsideredRefusal(error.response),
      }) && budget.take(),
    retryDelay: (attempt, error) => retryDelayMs(attempt, parseRetryAfter(error.response), random),
  });
  return {
    http,
    once: { ...once, 'axios-retry': { retries: 0 } },
    waits,
    destroy: () => [agents, once, waits].flatMap((pair) => Object.values(pair)).forEach((agent) => agent.destroy()),
  };
}
