/**
 * A viewer's connection as the broadcast writes to it. The status line waits for the first bytes of the stream, so that a stream which ends
 * before them is still an honest status. From then on the bytes go straight to the socket, past the response object.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ViewerSink } from '../broadcast/broadcast.js';

/** What is left to send may take so long when the stream is over. */
const FAREWELL_MS = 10_000;

export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': 'video/MP2T',
  'Cache-Control': 'no-store',
  // Players that would seek in it ask for a range and take any answer for the whole.
  'Accept-Ranges': 'none',
  Connection: 'close',
};

export class SocketSink implements ViewerSink {
  readonly framing: 'chunked' | 'raw';
  private begunNow = false;

  constructor(
    private readonly response: ServerResponse,
    private readonly socket: Socket,
  ) {
    // An HTTP/1.0 client knows no chunks: for it the end of the connection is the end of the stream.
    this.framing = response.req.httpVersion === '1.0' ? 'raw' : 'chunked';
  }

  /** The headers are out: no other status can be sent any more. */
  get begun(): boolean {
    return this.begunNow;
  }

  write(bytes: Buffer, done: (error?: Error | null) => void): void {
    if (!this.begunNow) this.begin();
    this.socket.write(bytes, done);
  }

  end(finalBytes?: Buffer): void {
    if (!this.begunNow) return;
    if (finalBytes) this.socket.write(finalBytes);
    this.socket.destroySoon();
    const limit = setTimeout(() => this.socket.destroy(), FAREWELL_MS);
    this.socket.once('close', () => clearTimeout(limit));
  }

  private begin(): void {
    this.begunNow = true;
    this.response.writeHead(200, STREAM_HEADERS);
    this.response.flushHeaders();
  }
}
