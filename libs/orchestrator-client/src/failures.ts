/** Turns failed requests into errors. */
import { BLOCKED_CODES, type BlockedCode } from '@acexy/contracts/vocabulary';
import { isObject, type JsonObject, snippet } from '@acexy/service-kit/primitives';
import { isAxiosError, type AxiosResponse } from 'axios';
import {
  CallNotSupportedError,
  type Endpoint,
  OrchestratorError,
  OrchestratorReplyError,
  OrchestratorTimeoutError,
  OrchestratorUnreachableError,
  ProvisioningBlockedError,
  UnauthorizedError,
  type Refusal,
} from './errors.js';

/** Longest wait that is taken from a reply, in seconds. A circuit breaker opens for minutes. */
const MAX_RETRY_AFTER_S = 3600;
/** axios' code for a reply that exceeds `maxContentLength`. */
const TOO_LONG = 'ERR_BAD_RESPONSE';
/** Our code for a complete reply with an invalid body. */
export const WRONG_BODY = 'ERR_WRONG_BODY';
const DETAIL_LENGTH = 200;

export function toOrchestratorError(endpoint: Endpoint, error: unknown, limitMs: number): OrchestratorError {
  if (error instanceof OrchestratorError) return error;
  if (!isAxiosError(error)) return new OrchestratorUnreachableError(`${endpoint}: ${String(error)}`, { cause: error });
  const { response, code, message } = error;
  if (code === WRONG_BODY) return new OrchestratorReplyError(endpoint, response?.status ?? null, message);
  // A failure with a good status means that the connection ended in the middle of the reply.
  if (response && response.status >= 300) return toStatusError(endpoint, response);
  if (code === 'ETIMEDOUT' || code === 'ECONNABORTED') return new OrchestratorTimeoutError(endpoint, limitMs);
  if (!response && code === TOO_LONG) return new OrchestratorReplyError(endpoint, null, message);
  return new OrchestratorUnreachableError(`${endpoint}: ${code ?? ''} ${message}`, { cause: error.cause });
}

/** The refusal in a 503 or 500 reply: the detail object of the wire API (1.2), or a text. */
function parseRefusal(response: AxiosResponse): Refusal | null {
  const { status, data } = response;
  if (status !== 503 && status !== 500) return null;
  const detail: unknown = isObject(data) ? data.detail : undefined;
  const retryAfterSeconds = parseRetryAfter(response);
  if (typeof detail === 'string' && detail !== '')
    return { code: 'general_error', message: detail, recoveryEtaSeconds: retryAfterSeconds ?? 0, retryAfterSeconds };
  if (!isRefusalDetail(detail)) return null;
  const { code, message, recovery_eta_seconds: eta } = detail;
  return {
    code: isBlockedCode(code) ? code : 'general_error',
    message: typeof message === 'string' && message !== '' ? message : 'no engine can be provisioned',
    recoveryEtaSeconds: toWait(eta) ?? retryAfterSeconds ?? 0,
    retryAfterSeconds,
  };
}

/** Whether the reply explains why the orchestrator refuses. An immediate retry cannot help then. */
export function isExplainedRefusal(response: AxiosResponse | undefined): boolean {
  return isObject(response?.data) && isRefusalDetail(response.data.detail);
}

/** `Retry-After` in seconds, at most {@link MAX_RETRY_AFTER_S}; null when it is missing or a date, which no orchestrator sends. */
export function parseRetryAfter(response: AxiosResponse | undefined): number | null {
  return toWait(Number(response?.headers['retry-after'] ?? Number.NaN));
}

function toWait(seconds: unknown): number | null {
  return typeof seconds === 'number' && seconds >= 0 ? Math.min(Math.ceil(seconds), MAX_RETRY_AFTER_S) : null;
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
  return snippet(typeof detail === 'string' ? detail : (JSON.stringify(detail) ?? ''), DETAIL_LENGTH) || 'no error text';
}

function isRefusalDetail(detail: unknown): detail is JsonObject {
  return (
    isObject(detail) && (detail.error === 'provisioning_blocked' || detail.error === 'provisioning_failed' || isBlockedCode(detail.code))
  );
}

function isBlockedCode(code: unknown): code is BlockedCode {
  return (BLOCKED_CODES as readonly unknown[]).includes(code);
}
