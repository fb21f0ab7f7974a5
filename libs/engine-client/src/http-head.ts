/** Parser of the head (status line and headers) of an HTTP/1.1 reply (RFC 9112). */

/** The bytes are not HTTP, or are ambiguous HTTP. */
export class MalformedHttpError extends Error {
  override readonly name = 'MalformedHttpError';
}

export interface ReplyHead {
  readonly status: number;
  /** By lower-case name. Values of repeated headers are joined with ', '. */
  readonly headers: ReadonlyMap<string, string>;
}

/** Same limit as in Node's parser. */
const MAX_BYTES = 16 * 1024;
/** `ICY` is the protocol of Shoutcast, which differs from HTTP/1.0 only in this word. */
const STATUS_LINE = /^(?:HTTP\/1\.[01]|ICY) ([1-9]\d\d)( .*)?$/;
const STATUS_LINE_STARTS = ['HTTP/1.', 'ICY '];
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~\w]+$/;
const LF = 0x0a;

export class HeadReader {
  private line = '';
  private size = 0;
  private status: number | null = null;
  private headers = new Map<string, string>();

  /**
   * Takes the next bytes. Returns the head when it is complete, with the bytes that follow it; null before. Skips interim replies (1xx).
   * @throws MalformedHttpError
   */
  push(bytes: Buffer): { head: ReplyHead; rest: Buffer } | null {
    let at = 0;
    while (at < bytes.length) {
      const found = bytes.indexOf(LF, at);
      const end = found < 0 ? bytes.length : found;
      this.size += end - at + 1;
      if (this.size > MAX_BYTES) throw new MalformedHttpError(`headers over ${MAX_BYTES} bytes`);
      this.line += bytes.toString('latin1', at, end);
      this.checkLineStart();
      if (found < 0) return null;
      at = found + 1;
      const head = this.takeLine(this.line.endsWith('\r') ? this.line.slice(0, -1) : this.line);
      this.line = '';
      if (head !== null) return { head, rest: bytes.subarray(at) };
    }
    return null;
  }

  /** Checked before the line is complete: another protocol may never send a line end. */
  private checkLineStart(): void {
    if (this.status !== null || STATUS_LINE_STARTS.some((start) => this.line.startsWith(start.slice(0, this.line.length)))) return;
    throw new MalformedHttpError('no status line');
  }

  private takeLine(line: string): ReplyHead | null {
    if (this.status === null) {
      const [, status] = STATUS_LINE.exec(line) ?? [];
      if (status === undefined) throw new MalformedHttpError('no status line');
      this.status = Number(status);
      return null;
    }
    if (line !== '') {
      const colon = line.indexOf(':');
      const key = line.slice(0, Math.max(0, colon)).toLowerCase();
      const value = line.slice(colon + 1).trim();
      if (!FIELD_NAME.test(key) || value.includes('\r')) throw new MalformedHttpError('invalid header line');
      const before = this.headers.get(key);
      this.headers.set(key, before === undefined ? value : `${before}, ${value}`);
      return null;
    }
    const head = { status: this.status, headers: this.headers };
    this.status = null;
    this.headers = new Map();
    return head.status < 200 ? null : head;
  }
}
