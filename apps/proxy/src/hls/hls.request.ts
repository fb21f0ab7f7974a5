/** What a playlist is asked for, and the addresses in the answer: all relative, so that they hold behind any reverse proxy. Pure. */
import { parseChoices } from '../playback/getstream.request.js';
import type { RequestedContent } from '../sessions/content-key.js';

export interface ManifestRequest {
  /** In the order of the viewer's choice. */
  readonly contents: readonly RequestedContent[];
  /** The name under which the viewer was taken in; null for a new one. */
  readonly viewer: string | null;
  /** As it was asked for, `/ace/manifest.m3u8` or `/ace/getstream`, with a trailing slash or without. */
  readonly path: string;
  readonly query: URLSearchParams;
}

const VIEWER = 'hls';
const NAME = /^[0-9a-f]{24}$/;
const SEQUENCE = /^(\d{1,15})\.ts$/;

/** @param target path and query of the request. @throws PlaybackRequestError */
export function parseManifest(target: string): ManifestRequest {
  const { pathname: path, searchParams: query } = new URL(target, 'http://localhost');
  const name = query.get(VIEWER);
  return { contents: parseChoices(query), viewer: name !== null && NAME.test(name) ? name : null, path, query };
}

/** The number in a segment's file name; null where it is none. */
export function parseSegment(file: string): number | null {
  const match = SEQUENCE.exec(file);
  return match === null ? null : Number(match[1]);
}

/** The viewer's own playlist, relative to `path`. It names the content, so that a viewer may come back to it after any time. */
export function mediaPlaylistUrl(path: string, query: URLSearchParams, viewer: string): string {
  const own = new URLSearchParams(query);
  own.set(VIEWER, viewer);
  return `${upFrom(path)}manifest.m3u8?${own.toString()}`;
}

/** Of the playlist's query a segment bears what lets it through: the token, and the content, by which a load balancer finds its proxy. */
const OF_SEGMENTS = ['id', 'infohash', 'token'];

/** @param query of the playlist */
export function segmentUrl(path: string, query: URLSearchParams, streamId: string, sequence: number): string {
  const own = new URLSearchParams(
    OF_SEGMENTS.flatMap((name): [string, string][] => (query.has(name) ? [[name, query.get(name) ?? '']] : [])),
  );
  return `${upFrom(path)}hls/${streamId}/${sequence}.ts?${own.toString()}`;
}

function upFrom(path: string): string {
  return path.endsWith('/') ? '../' : '';
}
