import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import axios, { type AxiosError, type AxiosInstance } from 'axios';
import axiosRetry from 'axios-retry';
import { isExplainedRefusal, parseRetryAfter } from './failures.js';
import type { RetryBudget } from './retry-budget.js';
import { MAX_RETRIES, isWorthRetrying, retryDelayMs } from './retry.policy.js';

/** Far above the longest engine list. */
const MAX_REPLY_BYTES = 8 * 1024 * 1024;
/** All stay open for the next calls, because many streams may start at once. The orchestrator closes idle connections after 5 s. */
const MAX_CONNECTIONS = 128;
/** Every waiting lease request occupies a connection. They have their own pool, so that reports do not wait for them. */
const MAX_WAITING = 1000;

interface Agents {
  httpAgent: HttpAgent;
  httpsAgent: HttpsAgent;
}

export interface Transport {
  /** Retries failed requests, within the budget and the request's `timeout`. */
  http: AxiosInstance;
  /** Request config for calls that must not be repeated. */
  once: Agents & { 'axios-retry': { retries: 0 } };
  /** Request config for calls that wait for their answer. */
  waits: Agents;
  destroy(): void;
}

export interface TransportOptions {
  url: string;
  apiKey?: string;
  timeoutMs: number;
  budget: RetryBudget;
  random: () => number;
}

/** Connection pools and the axios instance that retries. The cache (engine-list.ts) is another instance on top of it. */
export function createTransport({ url, apiKey, timeoutMs, budget, random }: TransportOptions): Transport {
  const keepAlive = { keepAlive: true, maxSockets: MAX_CONNECTIONS, maxFreeSockets: MAX_CONNECTIONS, timeout: 30_000 };
  const agents = createAgents(keepAlive);
  const waits = createAgents({ ...keepAlive, maxSockets: MAX_WAITING });
  // The server may close an idle connection at the moment of its reuse. Only a call that may be repeated survives that.
  const once = createAgents({ keepAlive: false, maxSockets: MAX_CONNECTIONS });
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
    // All attempts share one timeout. A delay longer than the rest of it ends the call at once.
    shouldResetTimeout: false,
    retryCondition: (error: AxiosError) =>
      isWorthRetrying({
        status: error.response?.status ?? null,
        failure: error.code ?? null,
        refused: isExplainedRefusal(error.response),
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

function createAgents(options: ConstructorParameters<typeof HttpAgent>[0]): Agents {
  return { httpAgent: new HttpAgent(options), httpsAgent: new HttpsAgent(options) };
}
