/** A reply of an engine on a connection of its own, made for media: many connections, each with a small piece every few milliseconds, for hours. */
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { type BodyReader, bodyOf } from './http-body.js';
import { HeadReader, type ReplyHead } from './http-head.js';

const READ_BYTES = 64 * 1024;
/** All connections are read into it, one after the other: what a read brings is used or copied before the next. */
const READ_BUFFER = Buffer.allocUnsafeSlow(READ_BYTES);
/**
 * Media come in small pieces, and a read costs the same whatever it brings. So they are left to gather in the kernel for so long (ms) after each read,
 * which is also the most that a byte is delayed by.
 */
export const PACE_MS = 40;
/** Of a connection these are read as they come: a stream's beginning is what somebody waits for. */
const PROMPT_BYTES = 1024 * 1024;
/** A read of so much may have emptied a full receive buffer: the engine has more than it could send, so there is no pause. */
const FULL_READ = 48 * 1024;
/** No keeping alive: media end with their connection, and nothing else may wait behind them. */
const FIELDS = ['Accept: */*', 'Accept-Encoding: identity', 'Connection: close'];

/** The body of a reply, and what its head said. Destroying it closes the connection. */
export class MediaReply extends Readable {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /**
   * While the body flows, a piece is only lent to the listeners of 'data': it is good until they return. Without it pieces are copies to keep, whose
   * memory costs more than all the rest of reading.
   */
  lendsPieces = false;
  private readonly body: BodyReader;
  private bytesRead = 0;
  /** What holds reading up: the pause after a read; a reader who has enough. */
  private pauseTimer: NodeJS.Timeout | null = null;
  private full = false;
  private readonly goOn = (): void => {
    this.pauseTimer = null;
    if (!this.full) this.socket.resume();
  };

  /** @throws MalformedHttpError */
  constructor(
    head: ReplyHead,
    private readonly socket: Socket,
  ) {
    super({ highWaterMark: READ_BYTES });
    this.status = head.status;
    this.headers = head.headers;
    this.body = bodyOf(head);
  }

  /** Takes what has been read of the connection; false where it is not to be read on at once. */
  receive(bytes: Buffer): boolean {
    const length = this.body.take(bytes);
    if (length > 0) this.deliver(bytes.subarray(0, length));
    if (this.body.complete) this.finish();
    if (this.body.failure) this.destroy(this.body.failure);
    if (this.full || this.socket.destroyed) return false;
    this.bytesRead += bytes.length;
    if (this.bytesRead < PROMPT_BYTES || bytes.length >= FULL_READ) return true;
    this.pauseTimer = setTimeout(this.goOn, PACE_MS);
    return false;
  }

  /** The connection has ended. */
  endConnection(): void {
    if (this.body.endsWithConnection) this.finish();
    else if (!this.body.complete) this.destroy(cutOff());
  }

  override _read(): void {
    this.full = false;
    if (this.pauseTimer === null) this.socket.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (this.pauseTimer !== null) clearTimeout(this.pauseTimer);
    this.socket.destroy();
    callback(error);
  }

  private deliver(piece: Buffer): void {
    if (this.lendsPieces && this.readableFlowing === true && this.readableLength === 0) this.emit('data', piece);
    else this.full = !this.push(Buffer.from(piece));
  }

  private finish(): void {
    this.push(null);
    this.socket.destroy();
  }
}

/**
 * Asks for `url` and resolves with the reply when its head is there. Whoever gets it must read or destroy it.
 * @throws MalformedHttpError, the system's error of the connection, or an AbortError by `signal`, which counts until then
 */
export function getReply(url: URL, signal: AbortSignal): Promise<MediaReply> {
  return new Promise((resolve, reject) => {
    const head = new HeadReader();
    let reply: MediaReply | null = null;
    const begin = (bytes: Buffer): boolean => {
      try {
        const found = head.push(bytes);
        if (found === null) return true;
        reply = new MediaReply(found.head, socket);
        resolve(reply);
        return reply.receive(found.rest);
      } catch (error) {
        socket.destroy(error as Error);
        return false;
      }
    };
    const take = (length: number): boolean => {
      const bytes = READ_BUFFER.subarray(0, length);
      return reply === null ? begin(bytes) : reply.receive(bytes);
    };
    const socket: Socket = connect({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port || 80),
      signal,
      onread: { buffer: READ_BUFFER, callback: take },
    });
    socket.on('error', (error) => (reply === null ? reject(error) : reply.destroy(error)));
    socket.on('end', () => reply?.endConnection());
    socket.on('close', () => reject(cutOff())); // what comes after the head is no longer told here
    socket.write([`GET ${url.pathname}${url.search} HTTP/1.1`, `Host: ${url.host}`, ...FIELDS, '', ''].join('\r\n'));
  });
}

/** As Node's own client tells it. */
function cutOff(): Error {
  return Object.assign(new Error('the connection ended in the middle of the reply'), { code: 'ECONNRESET' });
}
