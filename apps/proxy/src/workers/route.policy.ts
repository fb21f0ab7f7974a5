/** Which process serves a request. Pure. */
import { readAccess } from '../http/access.request.js';
import { type RequestedContent, type SelectorType, requestKey } from '../http/content-key.js';
import { parseSelector } from '../http/getstream.request.js';
import { readTarget } from '../http/request-target.js';

export type Selector = RequestedContent['selector'];

/** `front`: the front itself. `worker`: the one that owns the content or the stream, or any fixed one when both are null. */
export type Route = { to: 'front' } | WorkerRoute;
export interface WorkerRoute {
  to: 'worker';
  selector: Selector | null;
  streamId: string | null;
}

const FRONT: Route = { to: 'front' };
const CONTENT_PATHS: ReadonlySet<string> = new Set(['/ace/getstream', '/ace/manifest.m3u8']);
const STATUS_PATH = '/ace/status';
const LISTS_PATH = '/playlist.m3u';
const SEGMENTS = '/ace/hls/';

/** @param target of a request, as it was sent */
export function routeOf(target: string): Route {
  const { path, query } = readTarget(readAccess(target, undefined).target);
  const place = withoutSlashAtEnd(path.toLowerCase());
  if (CONTENT_PATHS.has(place) || place === LISTS_PATH) return { to: 'worker', selector: selectorOf(query), streamId: null };
  if (place.startsWith(SEGMENTS)) return { to: 'worker', selector: selectorOf(query), streamId: place.split('/')[3] };
  const selector = place === STATUS_PATH ? selectorOf(query) : null;
  return selector === null ? FRONT : { to: 'worker', selector, streamId: null };
}

/** A session of some worker, under the names of its content. */
export interface OwnedSession {
  worker: number;
  streamId: string;
  keyType: SelectorType;
  key: string;
  infohash: string | null;
  /** Nothing was sent to its viewers. */
  isStarting: boolean;
}

/**
 * The worker that has the stream or plays the content under any of its names; else the one that the content belongs to by its hash.
 * @param infohashOf the infohash of a content id, once an engine has told it
 */
export function ownerOf(
  { selector, streamId }: Pick<WorkerRoute, 'selector' | 'streamId'>,
  workers: number,
  sessions: Iterable<OwnedSession>,
  infohashOf: (contentId: string) => string | null,
): number {
  const infohash = selector?.type === 'content_id' ? infohashOf(selector.value) : (selector?.value ?? null);
  const canonical: Selector | null = infohash === null ? selector : { type: 'infohash', value: infohash };
  const byHash = canonical === null ? 0 : homeOf(canonical, workers);
  let owner: number | null = null;
  for (const session of sessions) {
    if (session.streamId === streamId) return session.worker;
    const isPlayed =
      (selector !== null && session.keyType === selector.type && session.key === selector.value) ||
      (infohash !== null && session.infohash === infohash);
    // When two workers play it, because its two names were not known to be one content, the next viewers go to one of them.
    if (isPlayed && owner !== byHash) owner = session.worker;
  }
  return owner ?? byHash;
}

/** The worker that a content belongs to while nobody plays it. */
function homeOf(selector: Selector, workers: number): number {
  return hashOf(requestKey({ selector, variant: {}, hints: {} })) % workers;
}

/**
 * Two workers play one content under two names: the stream of which the viewers should move to the other worker. Only one that has sent nothing can move;
 * of two, the one that is not where the content belongs. null: both continue until their viewers leave.
 */
export function streamThatMoves(one: OwnedSession, other: OwnedSession, workers: number): OwnedSession | null {
  const isSame = one.infohash !== null && one.infohash === other.infohash && one.worker !== other.worker;
  // Under one name, the second session is an alternative of a viewer that asked for another content.
  if (!isSame || (one.keyType === other.keyType && one.key === other.key)) return null;
  if (one.isStarting !== other.isStarting) return one.isStarting ? one : other;
  if (!one.isStarting) return null;
  return homeOf({ type: 'infohash', value: one.infohash ?? '' }, workers) === one.worker ? other : one;
}

/** FNV-1a, 32 bits: the same content belongs to the same worker after every restart. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}

function selectorOf(query: URLSearchParams): Selector | null {
  try {
    return parseSelector(query);
  } catch {
    return null; // the process that serves the request answers what is wrong with it
  }
}

function withoutSlashAtEnd(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}
