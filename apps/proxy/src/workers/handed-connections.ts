/** The connections of a worker, and how one goes back to the front before anything is sent on it. */
import type { Socket } from 'node:net';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpStatus } from '@nestjs/common';
import type { Request, Response } from 'express';
import { ContentMovedError } from '../sessions/errors.js';
import type { Channel } from './channel.js';
import { type HandedConnection, type ReturnedConnection, TO_FRONT } from './protocol.js';

const RETRY_AFTER_S = 1;

export class HandedConnections {
  private readonly handed = new WeakMap<Socket, HandedConnection>();

  constructor(private readonly channel: Channel) {}

  add(socket: Socket, connection: HandedConnection): void {
    this.handed.set(socket, connection);
  }

  /** Returns false for a connection that was returned before: it would go back and forth. */
  giveBack(socket: Socket, { selector }: ContentMovedError): boolean {
    const connection = this.handed.get(socket);
    if (connection === undefined || connection.returned) return false;
    const returned: ReturnedConnection = { head: connection.head, selector };
    // With it Node would count the connection as one of this server's that another process must close first: the server would never close.
    Object.assign(socket, { server: undefined });
    // The connection is no longer this process's, but its owners here wait for the end of the socket.
    this.channel.notify(TO_FRONT.returned, returned, socket, { onSent: () => socket.destroy() });
    return true;
  }
}

/** Gives the connections of viewers whose content another worker plays back to the front. */
@Catch(ContentMovedError)
export class ContentMovedFilter implements ExceptionFilter {
  constructor(private readonly connections: HandedConnections) {}

  catch(error: ContentMovedError, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const { socket } = http.getRequest<Request>();
    if (socket.destroyed || this.connections.giveBack(socket, error)) return;
    const detail = `${error.message}: try again`;
    http
      .getResponse<Response>()
      .status(HttpStatus.SERVICE_UNAVAILABLE)
      .set('Retry-After', String(RETRY_AFTER_S))
      .json({ statusCode: HttpStatus.SERVICE_UNAVAILABLE, error: detail, message: detail, detail, retry_after: RETRY_AFTER_S });
  }
}
