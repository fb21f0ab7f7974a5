/** Reads playlist requests and builds the URLs in the reply. The URLs are relative, so that they work behind any reverse proxy. */
import { withoutSlashesAtEnd } from '@acexy/service-kit/primitives';
import { parseChoices } from '../http/getstream.request.js';
import type { RequestedContent } from '../http/content-key.js';
import { readTarget } from '../http/request-target.js';

export interface ManifestRequest {
  /** In the viewer's order of preference. */
  readonly contents: readonly RequestedContent[];
  /** Null for a new viewer. */
  readonly viewerId: string | null;
  /** Path as it was requested: `/ace/manifest.m3u8` or `/ace/getstream` in any spelling. */
  readonly path: string;
  /** With the content in its usual spelling, by which a load balancer selects the proxy. */
  readonly query: URLSearchParams;
}

const VIEWER_PARAMETER = 'hls';
const VIEWER_ID = /^[0-9a-f]{24}$/;
const SEQUENCE = /^(\d{1,15})\.ts$/;

/** @param target path and query of the request. @throws PlaybackRequestError */
export function parseManifest(target: string): ManifestRequest {
  const { path, query } = readTarget(target);
  const given = query.get(VIEWER_PARAMETER);
  const contents = parseChoices(query);
  const { type, value } = contents[0].selector;
  query.set(type === 'infohash' ? 'infohash' : 'id', value);
  return { contents, viewerId: given !== null && VIEWER_ID.test(given) ? given : null, path, query };
}

/** The sequence number in the file name of a segment; null if it has another form. */
export function parseSegment(file: string): number | null {
  const match = SEQUENCE.exec(file);
  return match === null ? null : Number(match[1]);
}

/** URL of the viewer's own playlist, relative to `path`. It names the content, so that a viewer can return to it at any time. */
export function mediaPlaylistUrl(path: string, query: URLSearchParams, viewerId: string): string {
  const own = new URLSearchParams(query);
  own.set(VIEWER_PARAMETER, viewerId);
  return `${upFrom(path)}manifest.m3u8?${own.toString()}`;
}

/** Query parameters that segment URLs keep: the access token, and the content, by which a load balancer selects the proxy. */
const SEGMENT_PARAMETERS = ['id', 'infohash', 'token'];

/** @param query of the playlist request */
export function segmentUrl(path: string, query: URLSearchParams, streamId: string, sequence: number): string {
  const own = new URLSearchParams(
    SEGMENT_PARAMETERS.flatMap((name): [string, string][] => (query.has(name) ? [[name, query.get(name) ?? '']] : [])),
  );
  return `${upFrom(path)}hls/${streamId}/${sequence}.ts?${own.toString()}`;
}

/** A relative URL starts below the last slash of the path. */
function upFrom(path: string): string {
  return '../'.repeat(path.length - withoutSlashesAtEnd(path).length);
}
