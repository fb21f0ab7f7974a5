/**
 * Reader of one HTTP reply on its own connection, optimized for media: many connections that receive a few bytes every few milliseconds for
 * hours.
 */
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { type BodyReader, bodyOf } from './http-body.js';
import { HeadReader, type ReplyHead } from './http-head.js';

const READ_BYTES = 64 * 1024;
/** Shared by all connections: the bytes of one read are used or copied before the next read. */
const READ_BUFFER = Buffer.allocUnsafeSlow(READ_BYTES);
/**
 * Pause in milliseconds after each read, in which bytes gather in the kernel: a read costs the same however many bytes it returns. So each pause is as
 * long as `READ_GOAL` bytes took to arrive, within these limits. The longest one is also the longest delay of a byte.
 */
export const MAX_READ_PAUSE_MS = 100;
const MIN_READ_PAUSE_MS = 10;
/** Pauses of all connections end at the same multiples of this time: the event loop wakes up once for many reads. */
const TURN_MS = 20;
/** Fits in the receive buffer of a new connection (64 KiB under Linux), so that the engine never waits for a pause. */
const READ_GOAL = 40 * 1024;
/** The first bytes of a connection, for which a viewer waits, are read with shorter pauses, in which other streams that start get their turn. */
export const FIRST_READ_PAUSE_MS = 5;
const FIRST_BYTES = 1024 * 1024;
/** A read of this size may have emptied a full receive buffer. The engine can send faster, so no pause follows. */
const FULL_READ = 48 * 1024;
const REQUEST_HEADERS = ['Accept: */*', 'Accept-Encoding: identity', 'Connection: close'];

/** The body of a reply, with its status and headers. Destroying it closes the connection. */
export class MediaReply extends Readable {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /**
   * Gives listeners of 'data' views of the shared read buffer, valid only until they return. By default they get copies, whose memory costs
   * more than everything else in reading.
   */
  sharesBuffer = false;
  private readonly body: BodyReader;
  private bytesRead = 0;
  private pauseMs = MAX_READ_PAUSE_MS / 2;
  /** Bytes read since the last pause. */
  private gathered = 0;
  private pauseTimer: NodeJS.Timeout | null = null;
  /** The consumer has enough bytes for now. */
  private full = false;
  private readonly resumeReading = (): void => {
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

  /** Takes the bytes of one read. Returns false when the socket must pause. */
  receive(bytes: Buffer): boolean {
    const length = this.body.take(bytes);
    if (length > 0) this.deliver(bytes.subarray(0, length));
    if (this.body.complete) this.finish();
    if (this.body.failure) this.destroy(this.body.failure);
    if (this.full || this.socket.destroyed) return false;
    this.bytesRead += bytes.length;
    this.gathered += bytes.length;
    if (this.bytesRead < FIRST_BYTES) {
      this.pauseFor(FIRST_READ_PAUSE_MS);
    } else {
      if (bytes.length >= FULL_READ) return true;
      const goalMs = Math.min(MAX_READ_PAUSE_MS, Math.max(MIN_READ_PAUSE_MS, (this.pauseMs * READ_GOAL) / this.gathered));
      this.pauseMs = untilTurn(performance.now(), goalMs);
      this.pauseFor(this.pauseMs);
    }
    return false;
  }

  onConnectionEnd(): void {
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

  private pauseFor(ms: number): void {
    this.gathered = 0;
    this.pauseTimer = setTimeout(this.resumeReading, ms);
  }

  private deliver(bytes: Buffer): void {
    if (this.sharesBuffer && this.readableFlowing === true && this.readableLength === 0) this.emit('data', bytes);
    else this.full = !this.push(Buffer.from(bytes));
  }

  private finish(): void {
    this.push(null);
    this.socket.destroy();
  }
}

/**
 * Requests `url` and resolves when the head of the reply has arrived. The caller must read or destroy the reply. `signal` aborts the reply,
 * too.
 * @throws MalformedHttpError, the system's error of the connection, or an AbortError
 */
export function getReply(url: URL, signal: AbortSignal): Promise<MediaReply> {
  return new Promise((resolve, reject) => {
    const head = new HeadReader();
    let reply: MediaReply | null = null;
    const begin = (bytes: Buffer): boolean => {
      const found = head.push(bytes);
      if (found === null) return true;
      reply = new MediaReply(found.head, socket);
      resolve(reply);
      return reply.receive(found.rest);
    };
    // An exception ends this reply: nobody else would catch it.
    const take = (length: number): boolean => {
      try {
        const bytes = READ_BUFFER.subarray(0, length);
        return reply === null ? begin(bytes) : reply.receive(bytes);
      } catch (error) {
        socket.destroy(error as Error);
        return false;
      }
    };
    const socket: Socket = connect({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port || 80),
      signal,
      onread: { buffer: READ_BUFFER, callback: take },
    });
    socket.on('error', (error) => (reply === null ? reject(error) : reply.destroy(error)));
    socket.on('end', () => reply?.onConnectionEnd());
    socket.on('close', () => reject(cutOff())); // no effect once the head has arrived
    socket.write([`GET ${url.pathname}${url.search} HTTP/1.1`, `Host: ${url.host}`, ...REQUEST_HEADERS, '', ''].join('\r\n'));
  });
}

/** The start of the body: everything until it ends, or until there are more than `bytes`. */
export async function readStart(reply: MediaReply, bytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  // Leaving the loop destroys the reply, so an endless body is not read on.
  for await (const part of reply as AsyncIterable<Buffer>) {
    parts.push(part);
    length += part.length;
    if (length > bytes) break;
  }
  return Buffer.concat(parts);
}

/** Whole milliseconds from `now` until the last turn within `goalMs`, or until the next one. A timer of a fraction less would end before the turn. */
function untilTurn(now: number, goalMs: number): number {
  const turn = Math.max(Math.floor(now / TURN_MS) + 1, Math.floor((now + goalMs) / TURN_MS));
  return Math.ceil(turn * TURN_MS - now);
}

/** Same code as the error of Node's own HTTP client. */
function cutOff(): Error {
  return Object.assign(new Error('the connection ended before the reply was complete'), { code: 'ECONNRESET' });
}
