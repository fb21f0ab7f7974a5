/** HLS for viewers: playlists and segments of the streams that other viewers watch as one transport stream. */
import type { Request, Response } from 'express';
import { Injectable, NotFoundException } from '@nestjs/common';
import { Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import { Alternatives } from '../sessions/start/alternatives.js';
import type { ViewerSubscription } from '../sessions/viewer-subscription.js';
import type { RequestedContent } from '../sessions/content-key.js';
import { StreamEndedError, ViewerLeftError } from '../sessions/errors.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { AccessSettings } from '../http/access-settings.js';
import { HlsSettings } from './hls-settings.js';
import { type ManifestRequest, mediaPlaylistUrl, parseManifest, segmentUrl } from './hls.request.js';
import { HlsStream, type HlsStatus, type Numbers } from './hls-stream.js';
import { writeMasterPlaylist } from './playlist.js';

const PLAYLIST_HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': 'application/vnd.apple.mpegurl',
  'Cache-Control': 'no-store',
  // A player in a web page comes from another origin.
  'Access-Control-Allow-Origin': '*',
};

@Injectable()
export class HlsService {
  private readonly log: Log;
  /** By the id of their session. */
  private readonly streams = new Map<string, HlsStream>();
  /** The highest numbers that a segment ever had. */
  private last: Numbers = { sequence: 0, discontinuity: -1 };

  constructor(
    private readonly registry: SessionRegistry,
    private readonly alternatives: Alternatives,
    private readonly settings: HlsSettings,
    private readonly access: AccessSettings,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('hls');
  }

  /** Answers a request for a playlist; to HEAD with the headers, and starts nothing for it. @throws PlaybackRequestError | SessionError | NoEngineError */
  async answer(request: Request, response: Response): Promise<void> {
    const asked = parseManifest(request.originalUrl);
    if (request.method === 'HEAD') response.writeHead(200, PLAYLIST_HEADERS).end();
    else await this.servePlaylist(asked, request, response);
  }

  /**
   * Answers a playlist: to whoever has no name yet, the one that leads to its own; else the segments. Waits for the stream where it does not play.
   * @throws SessionError | NoEngineError
   */
  private async servePlaylist({ contents, viewer, path, query }: ManifestRequest, request: Request, response: Response): Promise<void> {
    const stream = viewer === null ? undefined : contents.map((content) => this.running(content)).find((one) => one?.touch(viewer));
    if (stream) {
      this.send(
        response,
        stream.playlist((sequence) => segmentUrl(path, query, stream.id, sequence)),
      );
      return;
    }
    const gone = new AbortController();
    const onClose = (): void => gone.abort(new ViewerLeftError());
    if (request.socket.destroyed) return;
    response.once('close', onClose);
    try {
      const entered = await this.enter(contents, viewer, gone.signal);
      const { id } = entered.stream;
      if (viewer !== null)
        this.send(
          response,
          entered.stream.playlist((sequence) => segmentUrl(path, query, id, sequence)),
        );
      else this.send(response, writeMasterPlaylist(entered.stream.bandwidth, mediaPlaylistUrl(path, query, entered.name)));
    } catch (error) {
      if (!(error instanceof ViewerLeftError)) throw error;
      this.log.debug('viewer left before there was a playlist', { key: contents[0].selector.value });
    } finally {
      response.off('close', onClose);
    }
  }

  /** @throws NotFoundException where there is no such segment (any more) */
  serveSegment(streamId: string, sequence: number, request: Request, response: Response): void {
    const segment = this.streams.get(streamId)?.segment(sequence);
    if (segment === undefined) throw new NotFoundException(`no segment ${sequence} of stream ${streamId}`);
    response.writeHead(200, {
      'Content-Type': 'video/MP2T',
      'Content-Length': segment.bytes,
      // Its number is never used for anything else. Where viewers need a token, no cache may give it to somebody else.
      'Cache-Control': `${this.access.tokens === undefined ? 'public' : 'private'}, max-age=3600, immutable`,
      'Access-Control-Allow-Origin': '*',
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    // A reader holds on to the segment's memory; one that takes longer than a viewer may be silent does not watch.
    const limit = this.clock.setTimeout(() => response.destroy(), this.settings.m3u8StreamTimeoutMs);
    response.once('close', () => this.clock.clearTimeout(limit));
    response.cork();
    for (const part of segment.parts) response.write(part);
    response.uncork();
    response.end();
  }

  /** Bytes of segments, over all streams. */
  get bytes(): number {
    return [...this.streams.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** null where nobody watches the stream as HLS. */
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

  /** Admits a viewer to the stream, which is started and cut where it is not yet. */
  private async enter(
    contents: readonly RequestedContent[],
    viewer: string | null,
    signal: AbortSignal,
  ): Promise<{ stream: HlsStream; name: string }> {
    let stay: ViewerSubscription | null = null;
    const leave = (): void => stay?.leave();
    signal.addEventListener('abort', leave, { once: true });
    try {
      const admission = await this.alternatives.subscribe(contents, (next) => (stay = next));
      const stream = this.streams.get(admission.streamId) ?? this.open(admission.streamId);
      return { stream, name: await stream.admit(viewer, admission, signal) };
    } catch (error) {
      leave();
      throw error;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  private open(streamId: string): HlsStream {
    // Numbers go on over every end and restart: seconds pass faster than segments are made.
    const base = {
      sequence: Math.max(Math.floor(this.clock.wallTime() / 1000), this.last.sequence + 1),
      discontinuity: this.last.discontinuity + 1,
    };
    const options = {
      targetS: Math.max(1, Math.round(this.settings.hlsSegmentMs / 1000)),
      idleMs: this.settings.m3u8StreamTimeoutMs,
      maxBytes: this.settings.hlsBufferMaxBytes,
    };
    const stream = new HlsStream(streamId, base, options, this.clock, (last, error) => {
      this.last = {
        sequence: Math.max(this.last.sequence, last.sequence),
        discontinuity: Math.max(this.last.discontinuity, last.discontinuity),
      };
      this.streams.delete(streamId);
      const expected = error === null || error instanceof StreamEndedError;
      if (expected) this.log.info('stream is not cut into segments any more', { stream_id: streamId });
      else this.log.error('the stream could not be cut into segments', { stream_id: streamId, error });
    });
    this.streams.set(streamId, stream);
    this.log.info('stream is cut into segments', { stream_id: streamId });
    return stream;
  }
}
