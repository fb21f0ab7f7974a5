/** Reads the HLS of an engine as one MPEG-TS stream, for contents that the engine delivers in no other way. */
import { createDecipheriv } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineAddress } from './address.js';
import { EngineBadReplyError, EngineRefusedError } from './errors.js';
import { exchange } from './exchange.js';
import { type EnginePlaylist, type EngineSegment, type SegmentKey, parseEnginePlaylist } from './hls-playlist.js';
import { readRefusal, resolveOnEngine } from './media.js';
import { getReply, readStart } from './media-reply.js';

export interface OpenHlsOptions {
  signal?: AbortSignal;
  /** Milliseconds until the first playlist with segments arrives. An engine delays it while it prebuffers. */
  firstPlaylistMs: number;
}

/** Limits of each later playlist and each segment. An engine that needs longer has stalled. */
const PLAYLIST_LIMIT_MS = 10_000;
const SEGMENT_LIMIT_MS = 30_000;
const MAX_PLAYLIST_BYTES = 1024 * 1024;
const MAX_SEGMENT_BYTES = 128 * 1024 * 1024;
/** The newest segment is delivered in slices over slightly less than its duration, so that consumers do not see gaps between segments. */
const SLICE_MS = 250;
const PACING_SPEED = 1.1;
/** A player of a live stream starts this many segments before the live edge (RFC 8216, 6.3.3). */
const FIRST_SEGMENTS = 3;
/** A playlist is read again four times in its target duration, which the engine names: within these bounds. */
const POLLS_PER_TARGET = 4;
const MIN_POLL_MS = 500;
const MAX_POLL_MS = 5000;
/** Playlist failures in a row that end the media. */
const MAX_FAILURES = 3;

/**
 * Opens the media of an HLS playback URL. Resolves with the first playlist. The media end when a playlist says so, and fail when the engine
 * ends the session.
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
      this.url = this.resolve(playlist.url).href;
      playlist = await this.playlist(left());
    }
    if (playlist.kind === 'master') throw new EngineBadReplyError(this.what, 'the variant is a master playlist, too', 200);
    return playlist;
  }

  async *media(first: MediaPlaylist): AsyncGenerator<Buffer> {
    let playlist = first;
    if (!first.ended) this.next = first.segments.at(-FIRST_SEGMENTS)?.sequence ?? -1;
    for (let failures = 0; ;) {
      const fresh = playlist.segments.filter(({ sequence }) => sequence >= this.next);
      // The newest segment is paced; a player buffers the ones before it.
      for (const [index, segment] of fresh.entries()) yield* this.segment(segment, index === fresh.length - 1);
      if (playlist.ended) return;
      await delay(pollMs(playlist.target), undefined, { signal: this.signal });
      try {
        const again = await this.playlist(PLAYLIST_LIMIT_MS);
        if (again.kind === 'media') playlist = again;
        failures = 0;
      } catch (error) {
        this.signal?.throwIfAborted();
        failures += 1;
        // A refusal means that the session has ended.
        if (error instanceof EngineRefusedError || failures >= MAX_FAILURES) throw error;
      }
    }
  }

  private async *segment(segment: EngineSegment, paced: boolean): AsyncGenerator<Buffer> {
    this.next = segment.sequence + 1;
    let bytes: Buffer;
    try {
      bytes = await this.get(segment.url, SEGMENT_LIMIT_MS, MAX_SEGMENT_BYTES);
      if (segment.key !== null) bytes = await this.decrypt(bytes, segment.key, segment.sequence);
    } catch (error) {
      this.signal?.throwIfAborted();
      // The engine no longer has the segment: skip it.
      if (error instanceof EngineRefusedError) return;
      throw error;
    }
    const slices = paced ? Math.max(1, Math.ceil((segment.seconds * 1000) / PACING_SPEED / SLICE_MS)) : 1;
    const size = Math.ceil(bytes.length / slices);
    for (let at = 0; at < bytes.length; at += size) {
      yield bytes.subarray(at, at + size);
      if (at + size < bytes.length) await delay(SLICE_MS, undefined, { signal: this.signal });
    }
  }

  private async decrypt(bytes: Buffer, key: SegmentKey, sequence: number): Promise<Buffer> {
    const { href } = this.resolve(key.url);
    const secret = this.keys.get(href) ?? (await this.get(key.url, PLAYLIST_LIMIT_MS, 1024));
    if (secret.length !== 16) throw new EngineBadReplyError(this.what, `key of ${secret.length} bytes instead of 16`, 200);
    this.keys.clear();
    this.keys.set(href, secret);
    const iv = key.iv ?? Buffer.alloc(16);
    if (key.iv === null) iv.writeBigUInt64BE(BigInt(sequence), 8);
    const decipher = createDecipheriv('aes-128-cbc', secret, iv);
    try {
      return Buffer.concat([decipher.update(bytes), decipher.final()]);
    } catch (cause) {
      throw new EngineBadReplyError(this.what, 'segment cannot be decrypted with its key', 200, { cause });
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

  private resolve(url: string): URL {
    return resolveOnEngine(this.what, url, this.url, this.address);
  }

  private get(target: string, limitMs: number, maxBytes: number): Promise<Buffer> {
    const url = this.resolve(target);
    return exchange({ what: this.what, phase: 'reply', limitMs, signal: this.signal }, async (limit) => {
      const reply = await getReply(url, limit);
      if (reply.status !== 200) throw await readRefusal(this.what, reply);
      const body = await readStart(reply, maxBytes);
      if (body.length > maxBytes) throw new EngineBadReplyError(this.what, `more than ${maxBytes} bytes`, 200);
      return body;
    });
  }
}

/** How long to wait for the next version of a live playlist. @param target its target duration, in seconds */
export function pollMs(target: number): number {
  return Math.min(MAX_POLL_MS, Math.max(MIN_POLL_MS, (target * 1000) / POLLS_PER_TARGET));
}
