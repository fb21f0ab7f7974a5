/** Downloads a playlist from an allowed source. Redirects to other places are not followed. */
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { CodedError, messageOf } from '@acexy/service-kit/primitives';
import { MAX_BYTES } from './playlist-text.js';
import { isAllowed } from './sources.policy.js';

/** The playlist could not be downloaded; the message says why. */
export class PlaylistSourceError extends CodedError {
  readonly code = 'playlist_source';
}

const LIMIT_MS = 15_000;
const HEADERS = { Accept: '*/*', 'Accept-Encoding': 'gzip', 'User-Agent': 'acexy' };
const MAX_REDIRECTS = 3;

/** The bytes as they were sent, at most MAX_BYTES. @throws PlaylistSourceError */
export async function fetchPlaylist(from: URL, sources: readonly URL[], limitMs = LIMIT_MS): Promise<Buffer> {
  const signal = AbortSignal.timeout(limitMs);
  try {
    return await follow(from, sources, signal);
  } catch (cause) {
    if (cause instanceof PlaylistSourceError) throw cause;
    const why = signal.aborted ? `not complete within ${limitMs / 1000} s` : reasonOf(cause);
    throw new PlaylistSourceError(`cannot download the playlist from ${from.host}: ${why}`, { cause });
  }
}

function reasonOf(cause: unknown): string {
  // A host with several addresses: one error for each, and no message.
  if (cause instanceof AggregateError) return cause.errors.map(reasonOf).join('; ');
  return messageOf(cause);
}

async function follow(from: URL, sources: readonly URL[], signal: AbortSignal): Promise<Buffer> {
  let url = from;
  for (let hops = 0; ; hops += 1) {
    const reply = await get(url, signal);
    if (reply.statusCode === 200) return readUpTo(reply);
    reply.destroy();
    const { location } = reply.headers;
    const status = reply.statusCode ?? 0;
    if (status < 300 || status > 399 || location === undefined)
      throw new PlaylistSourceError(`cannot download the playlist from ${url.host}: HTTP ${status}`);
    const next = URL.canParse(location, url.href) ? new URL(location, url.href) : null;
    if (next === null || hops >= MAX_REDIRECTS || !isAllowed(next, sources))
      throw new PlaylistSourceError(`${url.host} redirects to ${location}, which is not allowed: add it to ACEXY_PLAYLIST_SOURCES`);
    url = next;
  }
}

/** Unlike `fetch`, it leaves a compressed body as it is: some servers send gzip without saying so, others say so and do not. */
function get(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  const { get: send } = url.protocol === 'https:' ? https : http;
  // A rejection after the response has no effect: then the body has the error too.
  return new Promise((resolve, reject) => {
    send(url, { agent: false, headers: HEADERS, signal }).once('response', resolve).on('error', reject);
  });
}

async function readUpTo(reply: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of reply as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    if (bytes > MAX_BYTES) throw new PlaylistSourceError(`the playlist is larger than ${MAX_BYTES} bytes`);
  }
  return Buffer.concat(parts);
}
