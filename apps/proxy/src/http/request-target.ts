/** Reads the target of a request: the path and query in its first line. */
import type { NextFunction, Request, Response } from 'express';
import { readQuery } from './query.js';

export interface RequestTarget {
  /** As it was sent. */
  readonly path: string;
  readonly query: URLSearchParams;
}

const ORIGIN = /^https?:\/\/[^/?#]*/i;
const SLASHES = /\/{2,}/g;

/** Path and query of a target. */
export function readTarget(target: string): RequestTarget {
  const [path, query] = split(target);
  // Node gives one character for each byte.
  return { path, query: readQuery(Buffer.from(query, 'latin1').toString()) };
}

/** The target with a path that routes match: every slash stands alone. */
export function cleanTarget(target: string): string {
  const [path, query] = split(target);
  return (path === '' ? '/' : path.replace(SLASHES, '/')) + query;
}

/** Lets routes match every spelling of their path. `originalUrl` stays as it was sent. */
export function cleanRequestTarget(request: Request, _response: Response, next: NextFunction): void {
  request.url = cleanTarget(request.url);
  next();
}

/** Path, and query with its question mark, without the fragment and without the origin that clients send to an HTTP proxy. */
function split(target: string): [path: string, query: string] {
  const [whole] = target.replace(ORIGIN, '').split('#', 1);
  const from = whole.indexOf('?');
  return from < 0 ? [whole, ''] : [whole.slice(0, from), whole.slice(from)];
}
