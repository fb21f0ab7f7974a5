/** Serves one viewer: waits with it for the stream, sends it, and lets go of it in the moment it leaves. */
import type { Request, Response } from 'express';
import type { Socket } from 'node:net';
import { Injectable } from '@nestjs/common';
import { Log } from '@acexy/service-kit';
import type { ViewerEndReason } from '../broadcast/broadcast.js';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { Alternatives } from '../sessions/start/alternatives.js';
import type { ViewerSubscription } from '../sessions/viewer-subscription.js';
import type { RequestedContent } from '../sessions/content-key.js';
import { StreamEndedError, ViewerLeftError } from '../sessions/errors.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { PlaybackRequestError } from '../http/getstream.request.js';
import { SocketSink } from './socket-sink.js';

@Injectable()
export class ViewerService {
  private readonly log: Log;
  /** Connections that bear a stream, or the last of it. */
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
   * Sends the first of `contents` that plays, until it ends or the viewer leaves. Rejects only while a status can still be sent.
   * @throws SessionError | NoEngineError
   */
  async serve(contents: readonly RequestedContent[], request: Request, response: Response): Promise<void> {
    const { socket } = request;
    // Behind an unfinished answer on the same connection the stream could not begin, or would run into it.
    if (response.socket !== socket) throw new PlaybackRequestError('a stream cannot be asked for behind another request (pipelining)');
    // Gone before we got to it: no event would tell us any more.
    if (socket.destroyed || socket.readableEnded) {
      socket.destroy();
      return;
    }
    const cameAt = performance.now();
    const joins = contents.some((content) => this.registry.find(content)?.broadcast) ? 'playing' : 'started';
    let stay: ViewerSubscription | null = null;
    const leave = (): void => stay?.leave();
    // Half-closed, reset or gone: each of them ends the stay at once.
    const events = ['end', 'error', 'close'] as const;
    for (const event of events) socket.on(event, leave);
    try {
      const admission = await this.alternatives.subscribe(contents, (next) => (stay = next));
      const onFirstByte = (): void => {
        const joinMs = performance.now() - cameAt;
        this.metrics.viewerJoined(joinMs, joins);
        this.log.debug('viewer joined', { stream_id: admission.streamId, client: clientOf(socket), join_ms: Math.round(joinMs) });
      };
      await this.send(admission, new SocketSink(response, socket), socket, onFirstByte);
    } catch (error) {
      if (!(error instanceof ViewerLeftError)) throw error;
      this.log.debug('viewer left before the stream began', { key: contents[0].selector.value });
      socket.destroy();
    } finally {
      for (const event of events) socket.off(event, leave);
      leave();
    }
  }

  /** Resolves when every connection that bore a stream is closed; those that have not taken their end after `limitMs` are cut. */
  async farewell(limitMs: number): Promise<void> {
    const limit = setTimeout(() => {
      for (const socket of this.streaming) socket.destroy();
    }, limitMs);
    await Promise.all([...this.streaming].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    clearTimeout(limit);
  }

  private async send(admission: ViewerSubscription, sink: SocketSink, socket: Socket, onFirstByte: () => void): Promise<void> {
    const since = performance.now();
    const client = clientOf(socket);
    this.streaming.add(socket);
    socket.once('close', () => this.streaming.delete(socket));
    const onSkip = (skips: number): void =>
      this.log.debug('viewer too slow for the stream, skips a part', { stream_id: admission.streamId, client, skips });
    let failure: Error | undefined;
    const reason = await new Promise<ViewerEndReason>((resolve) =>
      admission.attach(sink, {
        onFirstByte,
        onSkip,
        onEnd: (why, error) => {
          failure = error;
          resolve(why);
        },
      }),
    );
    const { bytesSent, skips } = admission.sent;
    this.metrics.viewerEnded(reason, { bytesSent, skips });
    this.log.info('viewer ended', {
      stream_id: admission.streamId,
      viewer: admission.viewerId,
      client,
      reason,
      problem: failure?.message,
      bytes: bytesSent,
      skips,
      seconds: Math.round((performance.now() - since) / 1000),
    });
    switch (reason) {
      case 'source-ended':
        if (!sink.begun) throw new StreamEndedError('the stream ended before its first bytes');
        return;
      case 'too-slow':
      case 'write-failed':
      case 'removed':
        socket.destroy();
        return;
      default: {
        const unknown: never = reason;
        throw new TypeError(`no such reason: ${String(unknown)}`);
      }
    }
  }
}

/** Tells one connection of a host from another. */
function clientOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`;
}
