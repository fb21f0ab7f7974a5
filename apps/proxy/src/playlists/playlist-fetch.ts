/** Downloads a playlist from an allowed source. Redirects to other places are not followed. */
import { CodedError } from '@acexy/service-kit/primitives';
import { isAllowed } from './sources.policy.js';

/** The playlist could not be downloaded; the message says why. */
export class PlaylistSourceError extends CodedError {
  readonly code = 'playlist_source';
}

const LIMIT_MS = 15_000;
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_REDIRECTS = 3;

/** @throws PlaylistSourceError */
export async function fetchPlaylist(from: URL, sources: readonly URL[]): Promise<Buffer> {
  const signal = AbortSignal.timeout(LIMIT_MS);
  try {
    return await follow(from, sources, signal);
  } catch (cause) {
    if (cause instanceof PlaylistSourceError) throw cause;
    const why = signal.aborted ? `no reply within ${LIMIT_MS / 1000} s` : cause instanceof Error ? cause.message : String(cause);
    throw new PlaylistSourceError(`cannot download the playlist from ${from.host}: ${why}`, { cause });
  }
}

async function follow(from: URL, sources: readonly URL[], signal: AbortSignal): Promise<Buffer> {
  let url = from;
  for (let hops = 0; ; hops += 1) {
    const reply = await fetch(url, { redirect: 'manual', signal });
    if (reply.status === 200) return readUpTo(reply);
    await reply.body?.cancel();
    const location = reply.headers.get('location');
    if (reply.status < 300 || reply.status > 399 || location === null)
      throw new PlaylistSourceError(`cannot download the playlist from ${url.host}: HTTP ${reply.status}`);
    const next = URL.canParse(location, url.href) ? new URL(location, url.href) : null;
    if (next === null || hops >= MAX_REDIRECTS || !isAllowed(next, sources))
      throw new PlaylistSourceError(`${url.host} redirects to ${location}, which is not allowed: add it to ACEXY_PLAYLIST_SOURCES`);
    url = next;
  }
}

async function readUpTo(reply: Response): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of (reply.body ?? []) as AsyncIterable<Uint8Array>) {
    parts.push(part);
    bytes += part.length;
    if (bytes > MAX_BYTES) throw new PlaylistSourceError(`the playlist is larger than ${MAX_BYTES} bytes`);
  }
  return Buffer.concat(parts);
}
