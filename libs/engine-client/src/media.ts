import { addAbortSignal } from 'node:stream';
import { snippet } from '@acexy/service-kit/primitives';
import { engineOrigin, rehostEngineUrl, type EngineAddress } from './address.js';
import { EngineBadReplyError, type EngineError, EngineRefusedError, EngineStillPreparingError } from './errors.js';
import { exchange } from './exchange.js';
import { getReply, type MediaReply, readStart } from './media-reply.js';

export interface OpenMediaOptions {
  /** Cancels the wait; after that, ends the media. */
  signal?: AbortSignal;
  /** Milliseconds until the headers of the media arrive, redirects included. An engine delays them while it prebuffers. */
  headersTimeoutMs: number;
  /** See {@link MediaReply.sharesBuffer}. Default: false. */
  shareBuffer?: boolean;
}

/** Real engines redirect once or twice. */
export const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Some engines answer a request without a range with 206. */
const MEDIA = new Set([200, 206]);
const STILL_PREPARING = /download not found|start timeout/i;
const ERROR_PAGE_BYTES = 4096;
const NO_MEDIA = /^(text\/html|application\/json)\b/i;

/**
 * Opens the media of a playback URL on their own connection. Follows redirects, but only on this engine. The caller must read or destroy the
 * reply, and must detect silence itself.
 * @throws EngineStillPreparingError when a later attempt may succeed; EngineTimeoutError (`headers`); EngineRefusedError; EngineBadReplyError
 *   (also for the malformed reply that a second reader of a session gets); EngineUnreachableError
 */
export async function openMedia(address: EngineAddress, playbackUrl: string, options: OpenMediaOptions): Promise<MediaReply> {
  const { signal, headersTimeoutMs } = options;
  const what = `media of ${address.host}:${address.port}`;
  const media = await exchange({ what, phase: 'headers', limitMs: headersTimeoutMs, signal }, async (limit) => {
    let url = resolveOnEngine(what, playbackUrl, engineOrigin(address), address);
    for (let redirects = 0; ; redirects++) {
      const reply = await getReply(url, limit);
      const { status } = reply;
      if (!isRedirect(status)) return acceptMedia(what, reply);
      reply.destroy();
      if (redirects >= MAX_REDIRECTS) throw new EngineBadReplyError(what, `more than ${MAX_REDIRECTS} redirects`, status);
      const location = reply.headers.get('location');
      if (!location) throw new EngineBadReplyError(what, 'redirect without a location', status);
      url = resolveOnEngine(what, location, url.href, address);
    }
  });
  media.sharesBuffer = options.shareBuffer ?? false;
  return signal ? addAbortSignal(signal, media) : media;
}

export function isRedirect(status: number): boolean {
  return REDIRECTS.has(status);
}

/** `target` relative to `base`, on the host and port of the engine. */
export function resolveOnEngine(what: string, target: string, base: string, address: EngineAddress): URL {
  try {
    return rehostEngineUrl(new URL(target, base).href, address);
  } catch (cause) {
    throw new EngineBadReplyError(what, `not a URL: ${snippet(target)}`, null, { cause });
  }
}

/** The error for a reply with an error status, whose body says why. */
export async function readRefusal(what: string, reply: MediaReply): Promise<EngineError> {
  const { status } = reply;
  const text = await readText(reply);
  if (status >= 500 && STILL_PREPARING.test(text)) return new EngineStillPreparingError(what, text);
  return new EngineRefusedError(what, text || `HTTP ${status}`);
}

async function acceptMedia(what: string, reply: MediaReply): Promise<MediaReply> {
  if (!MEDIA.has(reply.status)) throw await readRefusal(what, reply);
  const type = reply.headers.get('content-type') ?? '';
  if (!NO_MEDIA.test(type)) return reply;
  throw new EngineBadReplyError(what, `${snippet(type)} instead of media: ${await readText(reply)}`, reply.status);
}

async function readText(reply: MediaReply): Promise<string> {
  return snippet((await readStart(reply, ERROR_PAGE_BYTES)).toString('utf8', 0, ERROR_PAGE_BYTES));
}
