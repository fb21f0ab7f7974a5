import { type ClientRequest, type IncomingMessage, get } from 'node:http';

/** A minimal player: one GET that reads until `leave`. */
export class Viewer {
  readonly chunks: Buffer[] = [];
  bytes = 0;
  ended = false;
  error: Error | null = null;
  /** Milliseconds from the request to the first byte of the body. */
  firstByteMs: number | null = null;
  readonly closed: Promise<void>;
  private waiting: { bytes: number; resolve: () => void }[] = [];

  private constructor(
    private readonly request: ClientRequest,
    readonly response: IncomingMessage,
    private readonly startedAt: number,
    private readonly keep: boolean,
    private readonly onChunk: (chunk: Buffer) => unknown,
  ) {
    response.on('data', (chunk: Buffer) => this.take(chunk));
    this.closed = new Promise((resolve) => {
      response.once('end', () => (this.ended = true));
      response.once('error', (error) => (this.error = error));
      response.once('close', () => resolve());
    });
  }

  /** Resolves with the headers of the reply, whatever the status. With `keep: false` bytes are only counted. */
  static open(
    url: string,
    {
      keep = true,
      headers = {},
      onChunk = () => undefined,
    }: { keep?: boolean; headers?: Record<string, string>; onChunk?: (chunk: Buffer) => unknown } = {},
  ): Promise<Viewer> {
    const startedAt = performance.now();
    return new Promise((resolve, reject) => {
      const request = get(url, { agent: false, headers }, (response) => resolve(new Viewer(request, response, startedAt, keep, onChunk)));
      request.once('error', reject);
    });
  }

  get status(): number {
    return this.response.statusCode ?? 0;
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Resolves when `bytes` have arrived in total; rejects if the stream ends before. */
  async untilBytes(bytes: number, limitMs = 30_000): Promise<void> {
    if (this.bytes >= bytes) return;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.bytes} of ${bytes} bytes within ${limitMs} ms`)), limitMs);
    });
    const enough = new Promise<void>((resolve) => this.waiting.push({ bytes, resolve }));
    const closed = this.closed.then(() => {
      if (this.bytes < bytes) throw new Error(`the stream ended after ${this.bytes} of ${bytes} bytes`);
    });
    try {
      await Promise.race([enough, closed, limit]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The remaining body of a short reply as text. */
  async text(): Promise<string> {
    await this.closed;
    return this.body.toString();
  }

  async leave(): Promise<void> {
    this.request.destroy();
    await this.closed;
  }

  private take(chunk: Buffer): void {
    this.firstByteMs ??= performance.now() - this.startedAt;
    this.bytes += chunk.length;
    if (this.keep) this.chunks.push(chunk);
    this.onChunk(chunk);
    this.waiting = this.waiting.filter((waiter) => {
      if (this.bytes < waiter.bytes) return true;
      waiter.resolve();
      return false;
    });
  }
}
