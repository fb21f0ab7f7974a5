/**
 * Writes the broadcast to a viewer's connection. The status line is sent with the first bytes of the stream, so that a stream that ends before
 * them still gets an error status. After that, bytes are written directly to the socket, not through the response object.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ViewerSink } from '../broadcast/broadcast.js';

/** Time for sending the remaining bytes after the end of the stream, in ms. */
const CLOSE_LIMIT_MS = 10_000;

export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': 'video/MP2T',
  'Cache-Control': 'no-store',
  // Otherwise players request a range to seek, and take any reply for the whole file.
  'Accept-Ranges': 'none',
  Connection: 'close',
};

export class SocketSink implements ViewerSink {
  readonly framing: 'chunked' | 'raw';
  private headersSent = false;

  constructor(
    private readonly response: ServerResponse,
    private readonly socket: Socket,
  ) {
    // HTTP/1.0 has no chunked encoding: the end of the connection ends the stream.
    this.framing = response.req.httpVersion === '1.0' ? 'raw' : 'chunked';
  }

  /** The headers are sent, so no other status is possible. */
  get started(): boolean {
    return this.headersSent;
  }

  write(bytes: Buffer, done: (error?: Error | null) => void): void {
    if (!this.headersSent) this.sendHeaders();
    this.socket.write(bytes, done);
  }

  end(finalBytes?: Buffer): void {
    if (!this.headersSent) return;
    if (finalBytes) this.socket.write(finalBytes);
    this.socket.destroySoon();
    // Reset: the kernel would keep the bytes that a stalled viewer does not take.
    const limit = setTimeout(() => this.socket.resetAndDestroy(), CLOSE_LIMIT_MS);
    this.socket.once('close', () => clearTimeout(limit));
  }

  private sendHeaders(): void {
    this.headersSent = true;
    this.response.writeHead(200, STREAM_HEADERS);
    this.response.flushHeaders();
  }
}
