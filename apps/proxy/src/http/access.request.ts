/** How a viewer says its token, and how it is carried on into the addresses that it is given. Pure. */

/** `path`: /t/<token>/ace/…, for players that lose queries and know no headers. */
export type TokenPlace = 'path' | 'bearer' | 'query';

export interface AskedAccess {
  /** null: none was given. */
  readonly token: string | null;
  readonly place: TokenPlace | null;
  /** The target without a token's path before it. */
  readonly target: string;
}

const IN_PATH = /^\/t\/([^/?#]*)(\/[^?#]*)?/;
const BEARER = /^Bearer +(\S+) *$/i;
/** Tells nothing of what plays. */
const OPEN_PATH = /^\/(?:health(?:\/ready)?|metrics)?\/?$/i;

/** @param target path and query as they came. @param authorization the header as it came */
export function readAccess(target: string, authorization: string | undefined): AskedAccess {
  const path = IN_PATH.exec(target);
  if (path !== null) return { token: path[1], place: 'path', target: (path[2] ?? '/') + target.slice(path[0].length) };
  const bearer = BEARER.exec(authorization ?? '');
  if (bearer !== null) return { token: bearer[1], place: 'bearer', target };
  const from = target.indexOf('?');
  const token = from < 0 ? null : new URLSearchParams(target.slice(from + 1)).get('token');
  return { token, place: token === null ? null : 'query', target };
}

/** Whether the target may be asked for by everybody: how the service is, and nothing of what it plays. */
export function isOpenTarget(target: string): boolean {
  return OPEN_PATH.test(target.replace(/[?#].*$/s, ''));
}

/** What links to this proxy need so that they bear the token, too: a path before them, or a parameter. A header cannot be put into a link. */
export function carriedOn({ token, place }: AskedAccess): { prefix: string; parameter: string } {
  if (token === null) return { prefix: '', parameter: '' };
  return place === 'path' ? { prefix: `/t/${token}`, parameter: '' } : { prefix: '', parameter: `token=${encodeURIComponent(token)}` };
}
