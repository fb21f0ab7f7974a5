import { type NestApplicationOptions, StreamableFile } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Response } from 'express';
import { createServer, type Server } from 'node:http';
import type { Log } from '../logging/log.js';
import { RefusedConnections } from './refused-connections.js';

/** Limits on what clients can consume. */
export interface ServerLimits {
  /** Simultaneous connections. Further ones are closed at once. */
  connections: number;
  /** Milliseconds until the headers of a request must be complete … */
  headersMs: number;
  /** … and the whole request. */
  requestMs: number;
}

/** Bytes of request line and headers together. Larger ones get 431. */
export const MAX_HEADER_BYTES = 16 * 1024;
/** Further headers of a request are ignored. */
const MAX_HEADERS = 100;
/** How often Node looks for requests that exceed their time limits. Its default of 30 s would triple the limits. */
const CHECK_INTERVAL_MS = 1000;

/** Not one of the objects that Nest sends in its own way: a stream, or an error. */
function isPlainObject(body: unknown): body is object {
  return typeof body === 'object' && body !== null && !(body instanceof StreamableFile) && !(body instanceof Error);
}

/** Express on an HTTP server with limits, for which Nest has no options. */
export class LimitedExpressAdapter extends ExpressAdapter {
  private forceClose = false;
  private readonly refused: RefusedConnections;

  constructor(
    private readonly limits: ServerLimits,
    log: Log,
  ) {
    super();
    this.refused = new RefusedConnections(limits.connections, log);
  }

  override initHttpServer(options: NestApplicationOptions): void {
    super.initHttpServer(options);
    this.forceClose = options?.forceCloseConnections === true;
    const { connections, headersMs, requestMs } = this.limits;
    const server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: Math.min(headersMs, requestMs),
        requestTimeout: requestMs,
        connectionsCheckingInterval: CHECK_INTERVAL_MS,
      },
      this.getInstance<(request: unknown, response: unknown) => void>(),
    );
    server.maxConnections = connections;
    server.maxHeadersCount = MAX_HEADERS;
    server.on('drop', () => this.refused.add());
    this.httpServer = server;
  }

  /** Nest tracks the connections of the server that it made itself, so `forceCloseConnections` has to be honored here. */
  override close(): ReturnType<ExpressAdapter['close']> {
    if (this.forceClose) (this.httpServer as Server).closeAllConnections();
    return super.close();
  }

  /**
   * A buffer is JSON that is already written. An answer to a call that changes something is never asked for again with If-None-Match: it is sent
   * without an ETag, and without what Express does to compare one.
   */
  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    const { method } = response.req;
    if (Buffer.isBuffer(body))
      return response
        .status(statusCode ?? response.statusCode)
        .type('json')
        .send(body);
    if (method === 'GET' || method === 'HEAD' || !isPlainObject(body)) return super.reply(response, body, statusCode) as unknown;
    const text = JSON.stringify(body);
    response.statusCode = statusCode ?? response.statusCode;
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.setHeader('Content-Length', Buffer.byteLength(text));
    return response.end(text);
  }
}
