import type { Readable } from 'node:stream';
import { snippet } from '@acexy/service-kit/primitives';
import { engineOrigin, rehostEngineUrl, type EngineAddress } from './address.js';
import { EngineBadReplyError, EngineError, EngineRefusedError, UnknownSessionError } from './errors.js';
import { exchange } from './exchange.js';
import { openHls, type OpenHlsOptions } from './hls-media.js';
import { isRedirect, MAX_REDIRECTS, openMedia, type OpenMediaOptions } from './media.js';
import type { MediaReply } from './media-reply.js';
import {
  type ContentDescription,
  findCommandUrl,
  parseDescription,
  parseEnvelope,
  parseObject,
  parsePlayback,
  parseStat,
  type Playback,
  type PlaybackKind,
  type PlaybackStat,
  type RawReply,
} from './replies.js';
import { getText } from './text-reply.js';

/** A content id and an infohash look alike, but the engine rejects one in place of the other. */
export interface ContentSelector {
  type: 'content_id' | 'infohash';
  value: string;
}

export interface StartPlayback {
  kind: PlaybackKind;
  selector: ContentSelector;
  /** Player id. It must be new for every start: the engine stops the earlier session of the same player. */
  pid: string;
  /** Further query parameters, such as `_idx`. Parameters that select content, player or format are ignored. */
  params?: Readonly<Record<string, string>>;
  /** Milliseconds for the JSON reply. Looking up an id takes seconds. */
  timeoutMs: number;
  signal?: AbortSignal;
}

const DEFAULT_TIMEOUT_MS = 5000;
const STOP_TIMEOUT_MS = 3000;
/** Query parameters that `params` of a start cannot set. */
const RESERVED = new Set(['content_id', 'id', 'infohash', 'url', 'magnet', 'direct_url', 'efile', 'format', 'pid', 'sid']);

/**
 * Client of the HTTP API of one AceStream engine. Every call has a time limit. It rejects with an {@link EngineError}, or with the reason of
 * the caller's signal when that aborts.
 */
export class EngineClient {
  private readonly timeoutMs: number;
  private readonly origin: string;

  /** @param options.timeoutMs limit of a whole JSON call */
  constructor(
    readonly address: EngineAddress,
    options: { timeoutMs?: number } = {},
  ) {
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.origin = engineOrigin(address);
  }

  /** Resolves when the engine is healthy: HTTP 200 and JSON with a result object. */
  async getStatus(signal?: AbortSignal): Promise<void> {
    parseObject(await this.callServerApi('get_status', signal), 'result');
  }

  /** Whether the engine reaches the Internet. Every value but `true` counts as no. */
  async getNetworkConnectionStatus(signal?: AbortSignal): Promise<boolean> {
    return parseObject(await this.callServerApi('get_network_connection_status', signal), 'result').connected === true;
  }

  /** Looks up a content without starting a session. @throws EngineRefusedError when the engine does not know it */
  async describe({ type, value }: ContentSelector, signal?: AbortSignal): Promise<ContentDescription> {
    const ask = async (query: string): Promise<ContentDescription> =>
      parseDescription(await this.callServerApi('analyze_content', signal, { query }));
    try {
      return await ask(`acestream:?${type}=${value}`);
    } catch (error) {
      // Some engines know content ids only in this form.
      if (type === 'content_id' && error instanceof EngineRefusedError) return ask(value);
      throw error;
    }
  }

  /**
   * Starts a session, or returns the existing one of the same player and content. Resolves before the media are ready. An abort does not undo
   * the start: the engine may then have a session with unknown URLs. To cancel a start, let it finish and stop the session.
   * @throws EngineRefusedError with the engine's text, such as "failed to load content"
   */
  async startPlayback({ kind, selector, pid, params, timeoutMs, signal }: StartPlayback): Promise<Playback> {
    const url = this.url(kind === 'hls' ? '/ace/manifest.m3u8' : '/ace/getstream', {
      format: 'json',
      pid,
      // `id` is deprecated, but the only name that engines of all versions accept.
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

  /** Reads the statistics of a session. The engine does not count the call as player activity, so it does not keep an unread session open. */
  async stat(playback: { statUrl: string }, signal?: AbortSignal): Promise<PlaybackStat> {
    const url = this.sessionUrl('stat', playback.statUrl);
    url.searchParams.set('skip_player_activity', '1');
    return parseStat(await this.call('stat', url, this.timeoutMs, signal));
  }

  /** Ends a session for all players of its content. */
  async stop(playback: { commandUrl: string }, timeoutMs = STOP_TIMEOUT_MS, signal?: AbortSignal): Promise<'stopped' | 'already_gone'> {
    const url = this.sessionUrl('stop', playback.commandUrl);
    url.searchParams.set('method', 'stop');
    const reply = await this.call('stop', url, timeoutMs, signal);
    // Some engines answer 404 for an unknown session.
    if (reply.status === 404) return 'already_gone';
    try {
      parseEnvelope(reply, 'response');
      return 'stopped';
    } catch (error) {
      if (error instanceof UnknownSessionError) return 'already_gone';
      throw error;
    }
  }

  /** See {@link openMedia}. */
  openMedia(playbackUrl: string, options: OpenMediaOptions): Promise<MediaReply> {
    return openMedia(this.address, playbackUrl, options);
  }

  /** See {@link openHls}. */
  openHls(playbackUrl: string, options: OpenHlsOptions): Promise<Readable> {
    return openHls(this.address, playbackUrl, options);
  }

  /** Stops a session whose start returned an unusable reply. */
  private async abandon(reply: RawReply): Promise<void> {
    const commandUrl = findCommandUrl(reply);
    if (commandUrl === null) return;
    try {
      await this.stop({ commandUrl });
    } catch (error) {
      // The caller gets the error of the start. The engine ends an unread session on its own.
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
      throw new EngineBadReplyError(this.label(name), `not a URL: ${snippet(url)}`, null, { cause });
    }
  }

  private label(name: string): string {
    return `${name} on ${this.address.host}:${this.address.port}`;
  }

  private async call(name: string, url: URL, timeoutMs: number, signal?: AbortSignal): Promise<RawReply> {
    const what = this.label(name);
    return exchange({ what, phase: 'reply', limitMs: timeoutMs, signal }, async (limit) => {
      for (let target = url, redirects = 0; ; redirects++) {
        const { status, location, body } = await getText(target, limit);
        if (!isRedirect(status)) return { what, status, body };
        if (redirects >= MAX_REDIRECTS) throw new EngineBadReplyError(what, `more than ${MAX_REDIRECTS} redirects`, status);
        target = this.redirected(what, target, location, status);
      }
    });
  }

  /** Where a redirect of this engine leads. */
  private redirected(what: string, from: URL, location: string | undefined, status: number): URL {
    const target = location && URL.canParse(location, from.href) ? new URL(location, from.href) : null;
    if (target?.origin === from.origin) return target;
    throw new EngineBadReplyError(what, `redirect to another place than this engine: ${snippet(location ?? '') || 'no location'}`, status);
  }
}
