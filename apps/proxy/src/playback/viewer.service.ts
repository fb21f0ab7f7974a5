/** Serves viewers: waits for the stream, sends it, and releases everything as soon as the viewer leaves. */
import type { Request, Response } from 'express';
import type { Socket } from 'node:net';
import { Injectable } from '@nestjs/common';
import { Log, type LogFields } from '@acexy/service-kit';
import { MAX_TIMER_MS } from '@acexy/service-kit/primitives';
import type { ViewerEndReason } from '../broadcast/broadcast.js';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { Alternatives } from '../sessions/start/alternatives.js';
import type { ViewerSubscription } from '../sessions/viewer-subscription.js';
import type { RequestedContent } from '../http/content-key.js';
import { type ReportException, exceptionReporter } from '../sessions/exceptions.js';
import { StreamEndedError, ViewerLeftError } from '../sessions/errors.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { PlaybackRequestError } from '../http/getstream.request.js';
import { SocketSink } from './socket-sink.js';

@Injectable()
export class ViewerService {
  private readonly log: Log;
  /** Connections on which a stream is sent, the last bytes included. */
  private readonly streaming = new Set<Socket>();

  constructor(
    private readonly registry: SessionRegistry,
    private readonly alternatives: Alternatives,
    private readonly metrics: ProxyMetrics,
    log: Log,
  ) {
    this.log = log.child('viewer');
  }

  /**
   * Sends the first of `contents` that plays, until it ends or the viewer leaves. Rejects only while an error status can still be sent.
   * @throws SessionError | NoEngineError
   */
  async serve(contents: readonly RequestedContent[], request: Request, response: Response): Promise<void> {
    const { socket } = request;
    // While an earlier reply on the same connection is unfinished, the stream would mix with it.
    if (response.socket !== socket)
      throw new PlaybackRequestError(
        'a stream cannot be requested while another request on the same connection is unfinished (HTTP pipelining)',
      );
    // The viewer has already left, so no event will follow.
    if (socket.destroyed || socket.readableEnded) {
      socket.destroy();
      return;
    }
    const requestedAt = performance.now();
    const joins = contents.some((content) => this.registry.find(content)?.broadcast) ? 'playing' : 'started';
    let current: ViewerSubscription | null = null;
    const leave = (): void => {
      try {
        current?.leave();
      } catch (error) {
        // This is called from events of the socket: nobody would catch it.
        this.reporter({ client: clientOf(socket) })('viewer', error);
      }
    };
    // A half-closed, reset or closed connection ends the subscription at once.
    const events = ['end', 'error', 'close'] as const;
    for (const event of events) socket.on(event, leave);
    try {
      const subscription = await this.alternatives.subscribe(contents, (next) => (current = next));
      const onFirstByte = (viewerId: number): void => {
        const joinMs = performance.now() - requestedAt;
        this.metrics.viewerJoined(joinMs, joins);
        this.log.debug('viewer joined', {
          stream_id: subscription.streamId,
          viewer_id: viewerId,
          client: clientOf(socket),
          join_ms: Math.round(joinMs),
        });
      };
      await this.send(subscription, new SocketSink(response, socket), socket, onFirstByte);
    } catch (error) {
      if (!(error instanceof ViewerLeftError)) throw error;
      this.log.debug('viewer left before the stream started', { key: contents[0].selector.value });
      socket.destroy();
    } finally {
      for (const event of events) socket.off(event, leave);
      leave();
    }
  }

  /** Resolves when every viewer's connection is closed. Connections that are still open after `limitMs` are destroyed. */
  async closeAll(limitMs: number): Promise<void> {
    const limit = setTimeout(
      () => {
        for (const socket of this.streaming) socket.destroy();
      },
      Math.min(limitMs, MAX_TIMER_MS),
    );
    await Promise.all([...this.streaming].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    clearTimeout(limit);
  }

  private reporter(fields: LogFields): ReportException {
    return exceptionReporter(this.log.child('viewer', fields), (event) => this.metrics.count(event));
  }

  private async send(
    subscription: ViewerSubscription,
    sink: SocketSink,
    socket: Socket,
    onFirstByte: (viewerId: number) => void,
  ): Promise<void> {
    const since = performance.now();
    const viewer = () => ({ stream_id: subscription.streamId, viewer_id: subscription.viewerId, client: clientOf(socket) });
    this.streaming.add(socket);
    socket.once('close', () => this.streaming.delete(socket));
    let failure: Error | undefined;
    const reason = await new Promise<ViewerEndReason>((resolve) =>
      subscription.attach(sink, {
        onFirstByte,
        onSkip: (skips) => this.log.debug('slow viewer skipped ahead', { ...viewer(), skips }),
        onEnd: (why, error) => {
          failure = error;
          resolve(why);
        },
      }),
    );
    const { bytesSent, skips } = subscription.sent;
    this.metrics.viewerEnded(reason, { bytesSent, skips });
    if (reason === 'failed') this.reporter(viewer())('viewer', failure);
    this.log.info('viewer ended', {
      ...viewer(),
      reason,
      error: failure?.message,
      bytes: bytesSent,
      skips,
      seconds: Math.round((performance.now() - since) / 1000),
    });
    switch (reason) {
      case 'source-ended':
        if (!sink.started) throw new StreamEndedError('the stream ended before its first bytes');
        return;
      case 'too-slow':
        // A normal close would leave megabytes in the kernel until the viewer reads them, and a stalled one never does.
        socket.resetAndDestroy();
        return;
      case 'write-failed':
      case 'failed':
      case 'removed':
        socket.destroy();
        return;
      default: {
        const unknown: never = reason;
        throw new TypeError(`unknown end reason: ${String(unknown)}`);
      }
    }
  }
}

/** Address and port, to distinguish connections from one host. */
function clientOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`;
}
