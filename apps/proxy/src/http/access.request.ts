/** Reads the access token of a request, and adds it to the links in replies. */
import { cleanTarget, readTarget } from './request-target.js';

/** `path`: /t/<token>/ace/…, for players that drop the query and cannot send headers. */
export type TokenPlace = 'path' | 'bearer' | 'query';

export interface AskedAccess {
  /** Null if none was sent. */
  readonly token: string | null;
  readonly place: TokenPlace | null;
  /** Path and query without the token prefix. */
  readonly target: string;
}

const IN_PATH = /^\/t\/([^/?#]*)(\/[^?#]*)?/;
const BEARER = /^Bearer +(\S+) *$/i;
/** Paths that reveal nothing about streams. */
const OPEN_PATH = /^\/(?:health(?:\/ready)?|metrics)?\/?$/i;

/** @param asked path and query of the request, in any spelling. @param authorization value of the header */
export function readAccess(asked: string, authorization: string | undefined): AskedAccess {
  const target = cleanTarget(asked);
  const path = IN_PATH.exec(target);
  if (path !== null) return { token: path[1], place: 'path', target: (path[2] ?? '/') + target.slice(path[0].length) };
  const bearer = BEARER.exec(authorization ?? '');
  if (bearer !== null) return { token: bearer[1], place: 'bearer', target };
  const token = readTarget(target).query.get('token');
  return { token, place: token === null ? null : 'query', target };
}

/** True for paths that need no token: health and metrics. */
export function isOpenTarget(target: string): boolean {
  return OPEN_PATH.test(target.split(/[?#]/, 1)[0]);
}

/** What links to this proxy need to carry the token: a path prefix or a query parameter. A link cannot carry a header. */
export function tokenForLinks({ token, place }: AskedAccess): { prefix: string; parameter: string } {
  if (token === null) return { prefix: '', parameter: '' };
  return place === 'path' ? { prefix: `/t/${token}`, parameter: '' } : { prefix: '', parameter: `token=${encodeURIComponent(token)}` };
}
