import { Agent } from 'node:http';
import type { Readable } from 'node:stream';
import axios, { type AxiosInstance } from 'axios';
import { engineOrigin, rehostEngineUrl, type EngineAddress } from './address.js';
import { EngineBadReplyError, EngineError, UnknownSessionError } from './errors.js';
import { wasClosedWhileIdle } from './failures.js';
import { openHls, type OpenHlsOptions } from './hls-media.js';
import { withLimit } from './limit.js';
import { openMedia, type OpenMediaOptions } from './media.js';
import type { MediaReply } from './media-reply.js';
import {
  findCommandUrl,
  parseEnvelope,
  parseObject,
  parsePlayback,
  parseStat,
  parseStatus,
  parseVersion,
  type EngineStatus,
  type EngineVersion,
  type Playback,
  type PlaybackKind,
  type PlaybackStat,
  type RawReply,
} from './replies.js';

export type { OpenHlsOptions } from './hls-media.js';
export type { OpenMediaOptions } from './media.js';

export interface EngineClientOptions {
  /** Milliseconds for a whole JSON exchange. */
  timeoutMs?: number;
  /** The connections to use; by default a pool that all clients of this process share. */
  agent?: Agent;
}

export interface StartPlayback {
  kind: PlaybackKind;
  /** An infohash given as a content id fails: they are different things. */
  selector: { type: 'content_id' | 'infohash'; value: string };
  /** The player id: new for every start, or the engine stops what the same player watched before. */
  pid: string;
  /** More query parameters, such as `_idx`. What selects the content, the player or the format is ours and is left out. */
  params?: Readonly<Record<string, string>>;
  /** Milliseconds for the JSON reply: looking an id up takes seconds. */
  timeoutMs: number;
  signal?: AbortSignal;
}

/** The default limit of a JSON exchange: what health checks of engines are used to. */
const DEFAULT_TIMEOUT_MS = 5000;
const STOP_TIMEOUT_MS = 3000;
/** JSON replies have hundreds of bytes; this is where we stop believing that one ends. */
const MAX_REPLY_BYTES = 1024 * 1024;
const INFOHASH = /^[0-9a-f]{40}$/i;
/** What `params` of a start may not say. */
const RESERVED = new Set(['content_id', 'id', 'infohash', 'url', 'magnet', 'direct_url', 'efile', 'format', 'pid', 'sid']);

/** Idle connections are closed after 4 s and hold no process open; a busy engine gets no more than 8. */
const sharedAgent = new Agent({ keepAlive: true, maxSockets: 8, maxFreeSockets: 1, timeout: 4000, scheduling: 'lifo' });

/**
 * The HTTP API of one AceStream engine. Every call ends within its limit, in what it promises or in an {@link EngineError}; a call that the
 * caller aborts rejects with the reason of the caller's signal.
 */
export class EngineClient {
  private readonly http: AxiosInstance;
  private readonly timeoutMs: number;
  private readonly origin: string;

  constructor(
    readonly address: EngineAddress,
    options: EngineClientOptions = {},
  ) {
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.origin = engineOrigin(address);
    this.http = axios.create({
      httpAgent: options.agent ?? sharedAgent,
      proxy: false,
      maxRedirects: 0,
      maxContentLength: MAX_REPLY_BYTES,
      decompress: false,
      headers: { Accept: 'application/json', 'Accept-Encoding': 'identity' },
      responseType: 'text',
      // Our own parser says what is wrong with a reply; axios would hide it or guess.
      transformResponse: [],
      validateStatus: () => true,
    });
  }

  async getVersion(signal?: AbortSignal): Promise<EngineVersion> {
    return parseVersion(await this.call('get_version', this.url('/webui/api/service', { method: 'get_version' }), this.timeoutMs, signal));
  }

  /** Resolves when the engine is well: HTTP 200 and JSON with a result object. */
  async getStatus(signal?: AbortSignal): Promise<EngineStatus> {
    return parseStatus(await this.callServerApi('get_status', signal));
  }

  /** Whether the engine reaches the Internet; anything but a plain `true` is a no. */
  async getNetworkConnectionStatus(signal?: AbortSignal): Promise<boolean> {
    return parseObject(await this.callServerApi('get_network_connection_status', signal), 'result').connected === true;
  }

  /** The infohash behind a content id, in lower case, without starting anything; null where the engine does not say. */
  async infohashOf(contentId: string, signal?: AbortSignal): Promise<string | null> {
    const reply = await this.callServerApi('analyze_content', signal, { query: `acestream://${contentId}` });
    const { infohash } = parseObject(reply, 'result');
    return typeof infohash === 'string' && INFOHASH.test(infohash) ? infohash.toLowerCase() : null;
  }

  /**
   * Starts a session, or gets the one of the same player and content again. Resolves before the media are ready. An abort does not undo it:
   * the engine may have a session then whose URLs nobody knows. To take a start back, let it end and stop what came of it.
   * @throws EngineRefusedError with the engine's words, such as "failed to load content"
   */
  async startPlayback({ kind, selector, pid, params, timeoutMs, signal }: StartPlayback): Promise<Playback> {
    const url = this.url(kind === 'hls' ? '/ace/manifest.m3u8' : '/ace/getstream', {
      format: 'json',
      pid,
      // `id` is deprecated, and the one name that engines of every age know.
      [selector.type === 'content_id' ? 'id' : 'infohash']: selector.value,
    });
    for (const [name, value] of Object.entries(params ?? {})) {
      if (!RESERVED.has(name)) url.searchParams.set(name, value);
    }
    const reply = await this.call('start', url, timeoutMs, signal);
    try {
      return parsePlayback(reply, kind, this.address);
    } catch (error) {
      await this.abandon(reply);
      throw error;
    }
  }

  /** Asks without counting as a player's activity, so that our asking never keeps alive what nobody reads. */
  async stat(playback: { statUrl: string }, signal?: AbortSignal): Promise<PlaybackStat> {
    const url = this.sessionUrl('stat', playback.statUrl);
    url.searchParams.set('skip_player_activity', '1');
    return parseStat(await this.call('stat', url, this.timeoutMs, signal));
  }

  /** Ends a session, for every player of its content. A session that is gone already is as good as stopped. */
  async stop(playback: { commandUrl: string }, timeoutMs = STOP_TIMEOUT_MS, signal?: AbortSignal): Promise<'stopped' | 'already-gone'> {
    const url = this.sessionUrl('stop', playback.commandUrl);
    url.searchParams.set('method', 'stop');
    const reply = await this.call('stop', url, timeoutMs, signal);
    // Never existed, as some engines say it.
    if (reply.status === 404) return 'already-gone';
    try {
      parseEnvelope(reply, 'response');
      return 'stopped';
    } catch (error) {
      if (error instanceof UnknownSessionError) return 'already-gone';
      throw error;
    }
  }

  /** The media behind a playback URL: see {@link openMedia}. */
  openMedia(playbackUrl: string, options: OpenMediaOptions): Promise<MediaReply> {
    return openMedia(this.address, playbackUrl, options);
  }

  /** The media behind an HLS playback URL: see {@link openHls}. */
  openHls(playbackUrl: string, options: OpenHlsOptions): Promise<Readable> {
    return openHls(this.address, playbackUrl, options);
  }

  /** A session that was started but cannot be used must not stay open on the engine. */
  private async abandon(reply: RawReply): Promise<void> {
    const commandUrl = findCommandUrl(reply);
    if (commandUrl === null) return;
    try {
      await this.stop({ commandUrl });
    } catch (error) {
      // What made the start fail is the news; the engine reaps in time what nobody reads.
      if (!(error instanceof EngineError)) throw error;
    }
  }

  private callServerApi(method: string, signal?: AbortSignal, query: Record<string, string> = {}): Promise<RawReply> {
    return this.call(method, this.url('/server/api', { api_version: '3', method, ...query }), this.timeoutMs, signal);
  }

  private url(path: string, query: Record<string, string>): URL {
    const url = new URL(path, this.origin);
    url.search = new URLSearchParams(query).toString();
    return url;
  }

  private sessionUrl(name: string, url: string): URL {
    try {
      return rehostEngineUrl(url, this.address);
    } catch (cause) {
      throw new EngineBadReplyError(this.label(name), `not a URL of the engine: ${url}`, null, { cause });
    }
  }

  private label(name: string): string {
    return `${name} on ${this.address.host}:${this.address.port}`;
  }

  private async call(name: string, url: URL, timeoutMs: number, signal?: AbortSignal): Promise<RawReply> {
    const what = this.label(name);
    const reply = await withLimit({ what, phase: 'reply', limitMs: timeoutMs, signal }, (limit) => this.get(url, limit));
    return { what, status: reply.status, body: reply.data };
  }

  /** Every call of this API may be repeated, so one that died with an idle connection is, once. */
  private async get(url: URL, signal: AbortSignal): Promise<{ status: number; data: string }> {
    try {
      return await this.http.get<string>(url.href, { signal });
    } catch (error) {
      if (signal.aborted || !wasClosedWhileIdle(error)) throw error;
      return this.http.get<string>(url.href, { signal });
    }
  }
}
