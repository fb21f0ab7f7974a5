/** Translates Docker's errors to errors that tell the operator what to do. Pure. */
import { CodedError } from '@acexy/service-kit/primitives';
import { NoSuchNetworkError, PortTakenError, RuntimeFailedError, RuntimeUnreachableError } from '../engine-runtime.js';

/** An error of dockerode: an answer of Docker has a status, a failed connection a system code. */
interface DockerFailure extends Error {
  statusCode?: number;
  code?: string;
  json?: { message?: string } | null;
}

/** The image is not local (404 of `create`). */
export class ImageMissingError extends CodedError {
  readonly code = 'image_missing';

  constructor(readonly image: string) {
    super(`image ${image} is not on this Docker Engine`);
  }
}

export function isNotFound(error: unknown): boolean {
  return (error as DockerFailure | null)?.statusCode === 404;
}

/** True when the container is already stopped (304) or already being removed (409). */
export function isAlreadyDone(error: unknown): boolean {
  const { statusCode, message } = error as DockerFailure;
  return statusCode === 304 || (statusCode === 409 && /already in progress/.test(message));
}

export interface DockerContext {
  endpoint: string;
  image?: string;
  network?: string | null;
  /** Container whose network the engine should share. */
  joins?: string;
}

/**
 * @param operation what failed, as a noun phrase ("the start of acestream-1")
 * @returns PortTakenError, ImageMissingError, RuntimeUnreachableError, or a RuntimeFailedError that says what happened and what to do
 */
export function translateDockerError(error: unknown, operation: string, context: DockerContext): Error {
  const failure = error as DockerFailure;
  const message = failure.json?.message ?? failure.message;
  const failed = (advice: string): RuntimeFailedError =>
    new RuntimeFailedError(`${operation} failed: ${message}${advice && ` (${advice})`}`, { cause: error });

  const port = takenPort(message);
  if (port !== null) return new PortTakenError(port, { cause: error });
  if (/cannot join network of|no such container: \S+$/i.test(message) && context.joins)
    return new NoSuchNetworkError(`${operation} failed: ${message} (is the VPN container ${context.joins} running?)`, { cause: error });
  if (/no space left on device/i.test(message))
    return failed('the disk of Docker is full: delete unused images and containers (`docker system df` shows their sizes)');
  switch (failure.statusCode) {
    case 404:
      if (/no such image|manifest unknown|not found: manifest|pull access denied/i.test(message))
        return new ImageMissingError(context.image ?? 'unknown');
      if (/network/i.test(message))
        return failed(`create it with \`docker network create ${context.network ?? 'NAME'}\`, or change DOCKER_NETWORK`);
      return failed('');
    case 409:
      return failed('the name is taken by another container: remove that container');
    case 403:
      return failed('a filter in front of Docker rejects this call');
    case 503:
      // A filter in front of Docker answers this when Docker does not.
      return new RuntimeUnreachableError(`${operation} failed: ${message}`, { cause: error });
    case undefined:
      return unreachable(failure, operation, context.endpoint);
    default:
      return failed('');
  }
}

function unreachable(failure: DockerFailure, operation: string, endpoint: string): RuntimeFailedError {
  const failed = (problem: string): RuntimeFailedError => new RuntimeFailedError(`${operation} failed: ${problem}`, { cause: failure });
  switch (failure.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ECONNRESET':
    case 'EPIPE':
      return new RuntimeUnreachableError(`${operation} failed: no Docker Engine answers at ${endpoint}: start it, or set DOCKER_HOST`, {
        cause: failure,
      });
    case 'EACCES':
      return failed(`no permission for ${endpoint}: add this user to the group that owns the socket`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return failed(`the host in ${endpoint} has no address: check DOCKER_HOST`);
    case 'ABORT_ERR':
    case 'ERR_CANCELED':
    case 'ETIMEDOUT':
      return failed(`Docker at ${endpoint} did not answer in time`);
    default:
      return failed(failure.message);
  }
}

/** The port in Docker's messages about a port in use, or null. */
function takenPort(message: string): number | null {
  if (!/port is already allocated|address already in use|ports are not available/i.test(message)) return null;
  const match = /(?:0\.0\.0\.0|127\.0\.0\.1|\[?::\]?|(?:\d{1,3}\.){3}\d{1,3}):(\d+)/.exec(message);
  return match ? Number(match[1]) : null;
}
