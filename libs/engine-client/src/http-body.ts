/** Finds the body of an HTTP/1.1 reply in the bytes of its connection, and the end of the body (RFC 9112, 6.3 and 7.1). */
import { MalformedHttpError, type ReplyHead } from './http-head.js';

export interface BodyReader {
  /** The whole body has been read. */
  readonly complete: boolean;
  /** The body ends when the connection ends. For other bodies, a connection that ends before `complete` has been cut off. */
  readonly endsWithConnection: boolean;
  /** Why the rest of the body cannot be read. The bytes taken before are valid. */
  readonly failure: MalformedHttpError | null;
  /** Moves the bytes of the body to the front of `bytes` and returns their number. */
  take(bytes: Buffer): number;
}

/** Replies with these statuses have no body, whatever their headers say. */
const NO_BODY = new Set([204, 304]);

/** @throws MalformedHttpError when the content-length is invalid */
export function bodyOf(head: ReplyHead): BodyReader {
  if (NO_BODY.has(head.status)) return new MeasuredBody(0);
  const coding = head.headers.get('transfer-encoding');
  if (coding !== undefined) return /(^|,)\s*chunked$/i.test(coding) ? new ChunkedBody() : new UnboundedBody();
  const length = head.headers.get('content-length');
  if (length === undefined) return new UnboundedBody();
  if (!/^\d{1,30}$/.test(length)) throw new MalformedHttpError('content-length is not a number');
  // Some engines name a length that never comes instead of none.
  return Number.isSafeInteger(Number(length)) ? new MeasuredBody(Number(length)) : new UnboundedBody();
}

class UnboundedBody implements BodyReader {
  readonly complete = false;
  readonly endsWithConnection = true;
  readonly failure = null;

  take(bytes: Buffer): number {
    return bytes.length;
  }
}

class MeasuredBody implements BodyReader {
  readonly endsWithConnection = false;
  readonly failure = null;

  constructor(private left: number) {}

  get complete(): boolean {
    return this.left === 0;
  }

  take(bytes: Buffer): number {
    const length = Math.min(this.left, bytes.length);
    this.left -= length;
    return length;
  }
}

/** Digits of a chunk size: more than any chunk needs, few enough for an exact number. */
const MAX_DIGITS = 12;
const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const SPACE = 0x20;
const TAB = 0x09;

/** What the next byte belongs to. `trailer-begin` is the first byte of a trailer line. */
type ChunkState = 'size' | 'size-line' | 'data' | 'data-end' | 'trailer-begin' | 'trailer' | 'complete' | 'failed';

class ChunkedBody implements BodyReader {
  readonly endsWithConnection = false;
  failure: MalformedHttpError | null = null;
  private state: ChunkState = 'size';
  /** Remaining bytes of the chunk; in the state `size`, the size read so far. */
  private left = 0;
  private digits = 0;

  get complete(): boolean {
    return this.state === 'complete';
  }

  take(bytes: Buffer): number {
    let to = 0;
    for (let at = 0; at < bytes.length && this.state !== 'complete' && this.state !== 'failed';) {
      if (this.state !== 'data') {
        this.state = this.next(bytes[at]);
        at += 1;
        continue;
      }
      const length = Math.min(this.left, bytes.length - at);
      bytes.copyWithin(to, at, at + length);
      at += length;
      to += length;
      this.left -= length;
      if (this.left === 0) this.state = 'data-end';
    }
    return to;
  }

  private next(byte: number): ChunkState {
    switch (this.state) {
      case 'size':
        return this.takeSize(byte);
      case 'size-line':
        return byte === LF ? this.beginChunk() : 'size-line';
      case 'data-end':
        if (byte === LF) return 'size';
        if (byte === CR) return 'data-end';
        return this.fail('chunk is longer than its size');
      case 'trailer-begin':
        if (byte === LF) return 'complete';
        return byte === CR ? 'trailer-begin' : 'trailer';
      case 'trailer':
        return byte === LF ? 'trailer-begin' : 'trailer';
      case 'data':
      case 'complete':
      case 'failed':
        return this.state;
      default:
        return this.state satisfies never;
    }
  }

  private takeSize(byte: number): ChunkState {
    const digit = hexDigit(byte);
    if (digit >= 0 && this.digits < MAX_DIGITS) {
      this.left = this.left * 16 + digit;
      this.digits += 1;
      return 'size';
    }
    if (this.digits === 0 || ![CR, LF, SEMICOLON, SPACE, TAB].includes(byte)) return this.fail('chunk without a size');
    return byte === LF ? this.beginChunk() : 'size-line';
  }

  private fail(problem: string): ChunkState {
    this.failure = new MalformedHttpError(problem);
    return 'failed';
  }

  private beginChunk(): ChunkState {
    this.digits = 0;
    return this.left === 0 ? 'trailer-begin' : 'data';
  }
}

/** Value of a hexadecimal digit; -1 for other bytes. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
