/** An engine's HLS as one stream of bytes, for contents that it gives in no other way. */
import { createDecipheriv } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type EngineAddress, rehostEngineUrl } from './address.js';
import { EngineBadReplyError, EngineRefusedError, EngineStillPreparingError } from './errors.js';
import { type EnginePlaylist, type EngineSegment, type SegmentKey, parseEnginePlaylist } from './hls-playlist.js';
import { withLimit } from './limit.js';
import { snippet } from './replies.js';

export interface OpenHlsOptions {
  signal?: AbortSignal;
  /** Milliseconds until the first playlist with segments; the engine holds it back while it prebuffers. */
  firstPlaylistMs: number;
}

/** A later playlist, and a segment in all, may take so long: an engine that needs more has stalled. */
const PLAYLIST_LIMIT_MS = 10_000;
const SEGMENT_LIMIT_MS = 30_000;
const MAX_PLAYLIST_BYTES = 1024 * 1024;
const MAX_SEGMENT_BYTES = 128 * 1024 * 1024;
/** A segment is handed on in pieces over the time that it lasts, a little faster, so that nobody downstream takes its arrival for a pause. */
const PIECE_MS = 250;
const PACE = 1.1;
const FIRST_SEGMENTS = 3;
/** Playlists that fail in a row before the media are taken for broken. */
const MAX_FAILURES = 3;

/**
 * The media behind an HLS playback URL. Resolves with the first playlist; ends where that says so; breaks where the engine takes the session away.
 * @throws EngineStillPreparingError | EngineRefusedError | EngineBadReplyError | EngineTimeoutError | EngineUnreachableError
 */
export async function openHls(address: EngineAddress, playbackUrl: string, { signal, firstPlaylistMs }: OpenHlsOptions): Promise<Readable> {
  const reader = new HlsReader(address, signal);
  const first = await reader.open(playbackUrl, firstPlaylistMs);
  return Readable.from(reader.media(first), { signal, objectMode: false, highWaterMark: 64 * 1024 });
}

type MediaPlaylist = Extract<EnginePlaylist, { kind: 'media' }>;

class HlsReader {
  private readonly what: string;
  private url = '';
  private next = -1;
  private readonly keys = new Map<string, Buffer>();

  constructor(
    private readonly address: EngineAddress,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.what = `HLS of ${address.host}:${address.port}`;
  }

  async open(playbackUrl: string, limitMs: number): Promise<MediaPlaylist> {
    this.url = playbackUrl;
    const until = performance.now() + limitMs;
    const left = (): number => Math.max(1, until - performance.now());
    let playlist = await this.playlist(left());
    if (playlist.kind === 'master') {
      this.url = this.locate(playlist.url).href;
      playlist = await this.playlist(left());
    }
    if (playlist.kind === 'master') throw new EngineBadReplyError(this.what, 'a master playlist leads to another', 200);
    return playlist;
  }

  async *media(first: MediaPlaylist): AsyncGenerator<Buffer> {
    let playlist = first;
    // Where a player of a live stream begins (RFC 8216, 6.3.3).
    if (!first.ended) this.next = first.segments.at(-FIRST_SEGMENTS)?.sequence ?? -1;
    for (let failures = 0; ;) {
      const fresh = playlist.segments.filter(({ sequence }) => sequence >= this.next);
      for (const [index, segment] of fresh.entries()) yield* this.segment(segment, index === fresh.length - 1);
      if (playlist.ended) return;
      await delay(Math.max(500, (playlist.target * 1000) / 4), undefined, { signal: this.signal });
      try {
        const again = await this.playlist(PLAYLIST_LIMIT_MS);
        if (again.kind === 'media') playlist = again;
        failures = 0;
      } catch (error) {
        this.signal?.throwIfAborted();
        failures += 1;
        // Refused is refused: the session is over.
        if (error instanceof EngineRefusedError || failures >= MAX_FAILURES) throw error;
      }
    }
  }

  /** The last one of a playlist is handed on as it would be sent; those before it are what a player has in hand. */
  private async *segment(segment: EngineSegment, paced: boolean): AsyncGenerator<Buffer> {
    this.next = segment.sequence + 1;
    let bytes: Buffer;
    try {
      bytes = await this.get(segment.url, SEGMENT_LIMIT_MS, MAX_SEGMENT_BYTES);
      if (segment.key !== null) bytes = await this.decrypt(bytes, segment.key, segment.sequence);
    } catch (error) {
      this.signal?.throwIfAborted();
      // It has left the engine's window: what is missing is missing.
      if (error instanceof EngineRefusedError) return;
      throw error;
    }
    if (!paced) {
      yield bytes;
      return;
    }
    const pieces = Math.max(1, Math.ceil((segment.seconds * 1000) / PACE / PIECE_MS));
    const size = Math.ceil(bytes.length / pieces);
    for (let at = 0; at < bytes.length; at += size) {
      yield bytes.subarray(at, at + size);
      if (at + size < bytes.length) await delay(PIECE_MS, undefined, { signal: this.signal });
    }
  }

  private async decrypt(bytes: Buffer, key: SegmentKey, sequence: number): Promise<Buffer> {
    const { href } = this.locate(key.url);
    const secret = this.keys.get(href) ?? (await this.get(key.url, PLAYLIST_LIMIT_MS, 1024));
    if (secret.length !== 16) throw new EngineBadReplyError(this.what, `a key of ${secret.length} bytes`, 200);
    this.keys.clear();
    this.keys.set(href, secret);
    const iv = key.iv ?? Buffer.alloc(16);
    if (key.iv === null) iv.writeBigUInt64BE(BigInt(sequence), 8);
    const decipher = createDecipheriv('aes-128-cbc', secret, iv);
    try {
      return Buffer.concat([decipher.update(bytes), decipher.final()]);
    } catch (cause) {
      throw new EngineBadReplyError(this.what, 'a segment that its key does not open', 200, { cause });
    }
  }

  private async playlist(limitMs: number): Promise<EnginePlaylist> {
    const text = (await this.get(this.url, limitMs, MAX_PLAYLIST_BYTES)).toString('utf8');
    try {
      return parseEnginePlaylist(text);
    } catch (cause) {
      throw new EngineBadReplyError(this.what, (cause as Error).message, 200, { cause });
    }
  }

  private locate(url: string): URL {
    try {
      return rehostEngineUrl(new URL(url, this.url).href, this.address);
    } catch (cause) {
      throw new EngineBadReplyError(this.what, `not an address: ${snippet(url)}`, null, { cause });
    }
  }

  private get(target: string, limitMs: number, maxBytes: number): Promise<Buffer> {
    const url = this.locate(target);
    return withLimit({ what: this.what, phase: 'reply', limitMs, signal: this.signal }, async (limit) => {
      const reply = await getReply(url, limit);
      const status = reply.statusCode ?? 0;
      const body = await readUpTo(this.what, reply, status === 200 ? maxBytes : 4096);
      if (status === 200) return body;
      const words = snippet(body.toString('utf8')) || `HTTP ${status}`;
      if (status >= 500 && /download not found|start timeout/i.test(words)) throw new EngineStillPreparingError(this.what, words, status);
      throw new EngineRefusedError(this.what, words, status);
    });
  }
}

function getReply(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const exchange = request(
      url,
      { method: 'GET', agent: false, headers: { accept: '*/*', 'accept-encoding': 'identity' }, signal },
      resolve,
    );
    exchange.on('error', reject).end();
  });
}

async function readUpTo(what: string, reply: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of reply as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    if (bytes > maxBytes && reply.statusCode === 200) throw new EngineBadReplyError(what, `more than ${maxBytes} bytes`, 200);
    if (bytes > maxBytes) break;
  }
  return Buffer.concat(parts);
}
