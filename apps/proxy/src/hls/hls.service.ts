/** Serves streams as HLS: playlists and segments of the same sessions that other viewers watch as one transport stream. */
import type { Request, Response } from 'express';
import { Injectable, NotFoundException } from '@nestjs/common';
import { Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import { Alternatives } from '../sessions/start/alternatives.js';
import type { ViewerSubscription } from '../sessions/viewer-subscription.js';
import type { RequestedContent } from '../http/content-key.js';
import { exceptionReporter } from '../sessions/exceptions.js';
import { StreamEndedError, ViewerLeftError } from '../sessions/errors.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { AccessSettings } from '../http/access-settings.js';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { HlsSettings } from './hls-settings.js';
import { type ManifestRequest, mediaPlaylistUrl, parseManifest, segmentUrl } from './hls.request.js';
import { HlsStream, type HlsStatus, type SegmentNumbers } from './hls-stream.js';
import { writeMasterPlaylist } from './playlist.js';

const PLAYLIST_HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': 'application/vnd.apple.mpegurl',
  'Cache-Control': 'no-store',
};

@Injectable()
export class HlsService {
  private readonly log: Log;
  /** By stream id. */
  private readonly streams = new Map<string, HlsStream>();
  /** The highest numbers used by any segment so far. */
  private last: SegmentNumbers = { sequence: 0, discontinuity: -1 };

  constructor(
    private readonly registry: SessionRegistry,
    private readonly alternatives: Alternatives,
    private readonly settings: HlsSettings,
    private readonly access: AccessSettings,
    private readonly clock: Clock,
    private readonly metrics: ProxyMetrics,
    log: Log,
  ) {
    this.log = log.child('hls');
  }

  /**
   * Answers a playlist request. HEAD gets only the headers and starts no session.
   * @throws PlaybackRequestError | SessionError | NoEngineError
   */
  async answer(request: Request, response: Response): Promise<void> {
    const asked = parseManifest(request.originalUrl);
    if (request.method === 'HEAD') response.writeHead(200, PLAYLIST_HEADERS).end();
    else await this.servePlaylist(asked, request, response);
  }

  /**
   * A new viewer gets a master playlist that points to its own media playlist; a known viewer gets the segments. Starts the stream if it does not play.
   * @throws SessionError | NoEngineError
   */
  private async servePlaylist({ contents, viewerId, path, query }: ManifestRequest, request: Request, response: Response): Promise<void> {
    const sendMedia = (stream: HlsStream): void =>
      this.send(
        response,
        stream.playlist((sequence) => segmentUrl(path, query, stream.id, sequence)),
      );
    const current = viewerId === null ? undefined : contents.map((content) => this.running(content)).find((one) => one?.touch(viewerId));
    if (current) return sendMedia(current);
    if (request.socket.destroyed) return;
    const gone = new AbortController();
    const onClose = (): void => gone.abort(new ViewerLeftError());
    response.once('close', onClose);
    try {
      const joined = await this.join(contents, viewerId, gone.signal);
      if (viewerId !== null) sendMedia(joined.stream);
      else this.send(response, writeMasterPlaylist(joined.stream.bandwidth, mediaPlaylistUrl(path, query, joined.viewerId)));
    } catch (error) {
      if (!(error instanceof ViewerLeftError)) throw error;
      this.log.debug('viewer left before the first playlist', { key: contents[0].selector.value });
    } finally {
      response.off('close', onClose);
    }
  }

  /** @throws NotFoundException if there is no such segment, or no longer */
  serveSegment(streamId: string, sequence: number, request: Request, response: Response): void {
    const stream = this.streams.get(streamId);
    const segment = stream?.segment(sequence);
    if (stream === undefined || segment === undefined)
      throw new NotFoundException(`segment ${sequence} of stream ${streamId} does not exist or has expired: request the playlist again`);
    response.writeHead(200, {
      'Content-Type': 'video/MP2T',
      'Content-Length': segment.bytes,
      // A sequence number is never used twice. With access tokens a shared cache must not serve the segment to others.
      'Cache-Control': `${this.access.tokens === undefined ? 'public' : 'private'}, max-age=3600, immutable`,
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    response.once('finish', () => this.metrics.hlsSegmentSent(segment.bytes));
    stream.send(segment, response);
  }

  /** Bytes of segments, over all streams. */
  get bytes(): number {
    return [...this.streams.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Null if nobody watches the stream as HLS. */
  statusOf(streamId: string): HlsStatus | null {
    return this.streams.get(streamId)?.status ?? null;
  }

  private send(response: Response, playlist: string): void {
    response.writeHead(200, { ...PLAYLIST_HEADERS, 'Content-Length': Buffer.byteLength(playlist) }).end(playlist);
  }

  private running(content: RequestedContent): HlsStream | null {
    const session = this.registry.find(content);
    return session === null ? null : (this.streams.get(session.id) ?? null);
  }

  /** Adds a viewer to the stream, which is started and cut into segments if it is not yet. */
  private async join(
    contents: readonly RequestedContent[],
    viewerId: string | null,
    signal: AbortSignal,
  ): Promise<{ stream: HlsStream; viewerId: string }> {
    let current: ViewerSubscription | null = null;
    const leave = (): void => current?.leave();
    signal.addEventListener('abort', leave, { once: true });
    try {
      const subscription = await this.alternatives.subscribe(contents, (next) => (current = next));
      const stream = this.streams.get(subscription.streamId) ?? this.open(subscription.streamId);
      return { stream, viewerId: await stream.join(viewerId, subscription, signal) };
    } catch (error) {
      leave();
      throw error;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  private open(streamId: string): HlsStream {
    // Numbers increase across streams and restarts: the wall clock in seconds grows faster than the number of segments.
    const base = {
      sequence: Math.max(Math.floor(this.clock.wallTime() / 1000), this.last.sequence + 1),
      discontinuity: this.last.discontinuity + 1,
    };
    const options = {
      targetS: Math.max(1, Math.round(this.settings.hlsSegmentMs / 1000)),
      idleMs: this.settings.m3u8StreamTimeoutMs,
      mostBytes: this.settings.hlsBufferMaxBytes,
    };
    const onEnd = (last: SegmentNumbers, error: Error | null): void => {
      this.last = {
        sequence: Math.max(this.last.sequence, last.sequence),
        discontinuity: Math.max(this.last.discontinuity, last.discontinuity),
      };
      this.streams.delete(streamId);
      releaseMemory();
      const expected = error === null || error instanceof StreamEndedError;
      this.log.info('HLS ended', { stream_id: streamId });
      if (!expected) report('hls', error);
    };
    const report = exceptionReporter(this.log.child('hls', { stream_id: streamId }), (event) => this.metrics.count(event));
    const stream = new HlsStream(streamId, base, options, this.clock, onEnd, (reason) => this.metrics.viewerEnded(reason), report);
    const releaseMemory = this.registry.budget.addHls(streamId, stream);
    this.streams.set(streamId, stream);
    this.log.info('HLS started', { stream_id: streamId });
    return stream;
  }
}
