/** What Docker's errors mean to an operator. Pure. */
import { NoSuchNetworkError, PortTakenError, RuntimeFailedError, RuntimeUnreachableError } from '../engine-runtime.js';

/** What dockerode throws: Docker's own answer has a status, everything else a system code. */
interface DockerFailure extends Error {
  statusCode?: number;
  code?: string;
  json?: { message?: string } | null;
}

/** The image is not there (404 of `create`). */
export class ImageMissingError extends Error {
  readonly code = 'image_missing';

  constructor(readonly image: string) {
    super(`image ${image} is not on this Docker Engine`);
    this.name = 'ImageMissingError';
  }
}

export function isNotFound(error: unknown): boolean {
  return (error as DockerFailure | null)?.statusCode === 404;
}

/** Nothing to do: already stopped (304), or already being removed (409). */
export function isAlreadyDone(error: unknown): boolean {
  const { statusCode, message } = error as DockerFailure;
  return statusCode === 304 || (statusCode === 409 && /already in progress/.test(message));
}

/** What the call was about. */
export interface DockerContext {
  endpoint: string;
  image?: string;
  network?: string | null;
  /** The container whose network was to be shared. */
  joins?: string;
}

/**
 * @param doing what was tried, as a noun phrase ("the start of acestream-1")
 * @returns PortTakenError, ImageMissingError, RuntimeUnreachableError, or a RuntimeFailedError that says what happened and what to do
 */
export function explain(error: unknown, doing: string, context: DockerContext): Error {
  const failure = error as DockerFailure;
  const said = failure.json?.message ?? failure.message;
  const failed = (advice: string): RuntimeFailedError =>
    new RuntimeFailedError(`${doing} failed: ${said}${advice && ` (${advice})`}`, { cause: error });

  const port = takenPort(said);
  if (port !== null) return new PortTakenError(port, { cause: error });
  if (/cannot join network of|no such container: \S+$/i.test(said) && context.joins)
    return new NoSuchNetworkError(`${doing} failed: ${said} (is the VPN container ${context.joins} running?)`, { cause: error });
  if (/no space left on device/i.test(said)) return failed('the disk of Docker is full: see `docker system df`');
  switch (failure.statusCode) {
    case 404:
      if (/no such image|manifest unknown|not found: manifest|pull access denied/i.test(said))
        return new ImageMissingError(context.image ?? 'unknown');
      if (/network/i.test(said))
        return failed(`create it with \`docker network create ${context.network ?? 'NAME'}\`, or change DOCKER_NETWORK`);
      return failed('');
    case 409:
      return failed('the name is taken by another container: remove that one');
    case 403:
      return failed('a filter in front of Docker refuses this call');
    case undefined:
      return unreachable(failure, doing, context.endpoint);
    default:
      return failed('');
  }
}

function unreachable(failure: DockerFailure, doing: string, endpoint: string): RuntimeFailedError {
  const failed = (what: string): RuntimeFailedError => new RuntimeFailedError(`${doing} failed: ${what}`, { cause: failure });
  switch (failure.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ECONNRESET':
    case 'EPIPE':
      return new RuntimeUnreachableError(`${doing} failed: no Docker Engine answers at ${endpoint}: start it, or set DOCKER_HOST`, {
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

/** The port in Docker's several ways to say that one is in use, or null. */
function takenPort(message: string): number | null {
  if (!/port is already allocated|address already in use|ports are not available/i.test(message)) return null;
  const match = /(?:0\.0\.0\.0|127\.0\.0\.1|\[?::\]?|\d+\.\d+\.\d+\.\d+):(\d+)/.exec(message);
  return match ? Number(match[1]) : null;
}
