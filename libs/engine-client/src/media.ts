import { addAbortSignal } from 'node:stream';
import { engineOrigin, rehostEngineUrl, type EngineAddress } from './address.js';
import { EngineBadReplyError, EngineRefusedError, EngineStillPreparingError } from './errors.js';
import { withLimit } from './limit.js';
import { getReply, type MediaReply } from './media-reply.js';
import { snippet } from './replies.js';

export interface OpenMediaOptions {
  /** Ends the wait and, once open, the media. */
  signal?: AbortSignal;
  /** Milliseconds until the headers of the media, redirects included. An engine holds them back while it prebuffers. */
  headersTimeoutMs: number;
  /** Real engines redirect once or twice. */
  maxRedirects?: number;
  /** The pieces that listeners of 'data' get are good only until they return (see {@link MediaReply.lendsPieces}). Default: false. */
  lendPieces?: boolean;
}

const DEFAULT_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const STILL_PREPARING = /download not found|start timeout/i;
/** What an error page is read of, in bytes. */
const PAGE_LIMIT = 4096;
const NO_MEDIA = /^(text\/html|application\/json)\b/i;

/**
 * The media bytes behind a playback URL, on a connection of their own. Follows redirects, on the engine we know only. The caller owns the
 * reply and must read or destroy it; how long a silence in mid-stream may last is the caller's to say.
 * @throws EngineStillPreparingError to be asked again; EngineTimeoutError (`headers`); EngineRefusedError; EngineBadReplyError (also the
 *   malformed reply that a second reader gets); EngineUnreachableError
 */
export async function openMedia(address: EngineAddress, playbackUrl: string, options: OpenMediaOptions): Promise<MediaReply> {
  const { signal, headersTimeoutMs, maxRedirects = DEFAULT_REDIRECTS } = options;
  const what = `media of ${address.host}:${address.port}`;
  const media = await withLimit({ what, phase: 'headers', limitMs: headersTimeoutMs, signal }, async (limit) => {
    let url = locate(what, playbackUrl, engineOrigin(address), address);
    for (let hops = 0; ; hops++) {
      const reply = await getReply(url, limit);
      const status = reply.status;
      if (!REDIRECTS.has(status)) return acceptMedia(what, reply);
      reply.destroy();
      if (hops >= maxRedirects) throw new EngineBadReplyError(what, `more than ${maxRedirects} redirects`, status);
      const location = reply.headers.get('location');
      if (!location) throw new EngineBadReplyError(what, 'a redirect to nowhere', status);
      url = locate(what, location, url.href, address);
    }
  });
  media.lendsPieces = options.lendPieces ?? false;
  return signal ? addAbortSignal(signal, media) : media;
}

function locate(what: string, target: string, base: string, address: EngineAddress): URL {
  try {
    return rehostEngineUrl(new URL(target, base).href, address);
  } catch (cause) {
    throw new EngineBadReplyError(what, `not a media URL: ${snippet(target)}`, null, { cause });
  }
}

/** The reply itself when it is media; anything else is read a little and becomes the error it means. */
async function acceptMedia(what: string, reply: MediaReply): Promise<MediaReply> {
  const status = reply.status;
  const type = reply.headers.get('content-type') ?? '';
  if (status === 200 && !NO_MEDIA.test(type)) return reply;
  const page = snippet(await readPage(reply));
  if (status === 200) throw new EngineBadReplyError(what, `${type} instead of media: ${page}`, status);
  if (status >= 500 && STILL_PREPARING.test(page)) throw new EngineStillPreparingError(what, page, status);
  throw new EngineRefusedError(what, page || `HTTP ${status}`, status);
}

async function readPage(reply: MediaReply): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop destroys the reply, so a page without end costs no more than the limit.
  for await (const part of reply as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    if (bytes >= PAGE_LIMIT) break;
  }
  return Buffer.concat(parts).toString('utf8', 0, PAGE_LIMIT);
}
