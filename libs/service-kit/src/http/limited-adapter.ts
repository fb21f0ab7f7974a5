import type { NestApplicationOptions } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { createServer } from 'node:http';
import type { Log } from '../logging/log.js';

/** What strangers may take of a service, whatever they send. */
export interface ServerLimits {
  /** Connections at the same time; more are closed at once. */
  connections: number;
  /** Milliseconds until the headers of a request must be complete … */
  headersMs: number;
  /** … and all of it. */
  requestMs: number;
}

/** Bytes of request line and headers together; more is 431. */
export const MAX_HEADER_BYTES = 16 * 1024;
/** Further ones of a request are left out. */
const MAX_HEADERS = 100;
/** How often requests that take too long are looked for: Node's default of 30 s would triple the limits. */
const CHECK_EVERY_MS = 1000;
/** A flood of connections is one line a minute. */
const TELL_EVERY_MS = 60_000;

/** Express on a server of Node's with limits, which Nest has no option for. */
export class LimitedExpressAdapter extends ExpressAdapter {
  private refused = 0;
  private toldAt = -Infinity;

  constructor(
    private readonly limits: ServerLimits,
    private readonly log: Log,
  ) {
    super();
  }

  override initHttpServer(options: NestApplicationOptions): void {
    super.initHttpServer(options);
    const { connections, headersMs, requestMs } = this.limits;
    const server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: Math.min(headersMs, requestMs),
        requestTimeout: requestMs,
        connectionsCheckingInterval: CHECK_EVERY_MS,
      },
      this.getInstance<(request: unknown, response: unknown) => void>(),
    );
    server.maxConnections = connections;
    server.maxHeadersCount = MAX_HEADERS;
    server.on('drop', () => this.connectionRefused());
    this.httpServer = server;
    // Nest has listened to the server that is not used.
    if (options?.forceCloseConnections) this['trackOpenConnections']();
  }

  private connectionRefused(): void {
    this.refused += 1;
    if (performance.now() - this.toldAt < TELL_EVERY_MS) return;
    this.toldAt = performance.now();
    this.log.warn('connections refused, too many are open', { limit: this.limits.connections, refused: this.refused });
    this.refused = 0;
  }
}
