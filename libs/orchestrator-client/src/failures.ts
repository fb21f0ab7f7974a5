import { BLOCKED_CODES, type BlockedCode } from '@acexy/contracts/vocabulary';
import { isAxiosError, type AxiosResponse } from 'axios';
import {
  CallNotSupportedError,
  OrchestratorError,
  OrchestratorReplyError,
  OrchestratorTimeoutError,
  OrchestratorUnreachableError,
  ProvisioningBlockedError,
  UnauthorizedError,
  type Refusal,
} from './errors.js';

/** The calls by name, as metrics and messages have them. */
export type Endpoint = 'lease' | 'release' | 'report' | 'engines' | 'provision' | 'stream_started' | 'stream_ended';

/** axios' code for a reply that grew over `maxContentLength`. */
const TOO_LONG = 'ERR_BAD_RESPONSE';
/** Our own code for a reply that came whole and is not what was asked for. */
export const WRONG_BODY = 'ERR_WRONG_BODY';
const SNIPPET = 200;

/** What a failed attempt means for the caller. */
export function toOrchestratorError(endpoint: Endpoint, error: unknown, limitMs: number): OrchestratorError {
  if (error instanceof OrchestratorError) return error;
  if (!isAxiosError(error)) return new OrchestratorUnreachableError(`${endpoint}: ${String(error)}`, { cause: error });
  const { response, code, message } = error;
  if (code === WRONG_BODY) return new OrchestratorReplyError(endpoint, response?.status ?? null, message);
  // A good status and still a failure: the connection died in mid-reply.
  if (response && response.status >= 300) return toStatusError(endpoint, response);
  if (code === 'ETIMEDOUT' || code === 'ECONNABORTED') return new OrchestratorTimeoutError(endpoint, limitMs);
  if (!response && code === TOO_LONG) return new OrchestratorReplyError(endpoint, null, message);
  return new OrchestratorUnreachableError(`${endpoint}: ${code ?? ''} ${message}`, { cause: error.cause });
}

/** The refusal in a reply to a call that wants an engine: the detail object of the wire API, or a plain text; null when it is none. */
function parseRefusal(response: AxiosResponse): Refusal | null {
  const { status, data } = response;
  if (status !== 503 && status !== 500) return null;
  const detail: unknown = isObject(data) ? data.detail : undefined;
  const retryAfterSeconds = parseRetryAfter(response);
  const unknown = { status, code: 'general_error', canRetry: status === 503, shouldWait: status === 503, retryAfterSeconds } as const;
  if (typeof detail === 'string' && detail !== '') return { ...unknown, message: detail, recoveryEtaSeconds: retryAfterSeconds ?? 0 };
  if (!isRefusalDetail(detail)) return null;
  const { code, message, recovery_eta_seconds: eta, can_retry: canRetry, should_wait: shouldWait } = detail;
  return {
    ...unknown,
    code: isBlockedCode(code) ? code : 'general_error',
    message: typeof message === 'string' && message !== '' ? message : 'no engine can be provisioned',
    recoveryEtaSeconds: typeof eta === 'number' && eta >= 0 ? Math.ceil(eta) : (retryAfterSeconds ?? 0),
    canRetry: typeof canRetry === 'boolean' ? canRetry : unknown.canRetry,
    shouldWait: typeof shouldWait === 'boolean' ? shouldWait : unknown.shouldWait,
  };
}

/** The orchestrator gave its reasons in full; asking again at once changes nothing. */
export function isConsideredRefusal(response: AxiosResponse | undefined): boolean {
  return isObject(response?.data) && isRefusalDetail(response.data.detail);
}

/** `Retry-After` in seconds; null where there is none or it is a date, which nobody here sends. */
export function parseRetryAfter(response: AxiosResponse | undefined): number | null {
  const value = Number(response?.headers['retry-after'] ?? Number.NaN);
  return Number.isFinite(value) && value >= 0 ? value : null;
}

function toStatusError(endpoint: Endpoint, response: AxiosResponse): OrchestratorError {
  const { status, data } = response;
  if (status === 401 || status === 403) return new UnauthorizedError(endpoint, status);
  if ((status === 404 || status === 405) && (endpoint === 'lease' || endpoint === 'report'))
    return new CallNotSupportedError(endpoint, status);
  if (endpoint === 'lease' || endpoint === 'provision') {
    const refusal = parseRefusal(response);
    if (refusal) return new ProvisioningBlockedError(refusal);
  }
  return new OrchestratorReplyError(endpoint, status, describe(data));
}

function describe(body: unknown): string {
  const detail = isObject(body) ? (body.detail ?? body.message ?? body) : body;
  const text = typeof detail === 'string' ? detail : (JSON.stringify(detail) ?? '');
  return text.replace(/\s+/g, ' ').slice(0, SNIPPET) || 'no words';
}

function isRefusalDetail(detail: unknown): detail is Record<string, unknown> {
  return (
    isObject(detail) && (detail.error === 'provisioning_blocked' || detail.error === 'provisioning_failed' || isBlockedCode(detail.code))
  );
}

function isBlockedCode(code: unknown): code is BlockedCode {
  return (BLOCKED_CODES as readonly unknown[]).includes(code);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
