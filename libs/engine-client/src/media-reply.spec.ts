import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { EngineClient } from './client.js';
import { FIRST_READ_PAUSE_MS, MAX_READ_PAUSE_MS, type MediaReply } from './media-reply.js';
import { rawEngine } from '../../../test/doubles/engine-server.js';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n';
const UNBOUNDED = `${HEAD}\r\n`;
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
/** More bytes than are read with short pauses. */
const BEGINNING = 1024 * 1024 + 10_000;

/** The engine's end of one connection, and what the reader has delivered so far. */
class Stream {
  bytes = 0;
  readonly told: string[] = [];
  readonly closed: Promise<void>;

  private constructor(
    readonly engine: Socket,
    readonly media: MediaReply,
  ) {
    this.closed = new Promise((resolve) => media.on('close', resolve));
    media.on('data', (piece: Buffer) => (this.bytes += piece.length));
    media.on('end', () => this.told.push(`end after ${this.bytes}`));
    media.on('error', (error: NodeJS.ErrnoException) => this.told.push(`${error.code ?? error.name} after ${this.bytes}`));
  }

  static async open(head: string, shareBuffer = true): Promise<Stream> {
    let connected!: (socket: Socket) => void;
    const engine = new Promise<Socket>((resolve) => (connected = resolve));
    const address = await rawEngine((socket) =>
      socket.once('data', () => {
        socket.write(head);
        connected(socket);
      }),
    );
    const media = await new EngineClient(address).openMedia('/', { headersTimeoutMs: 2000, shareBuffer });
    onTestFinished(() => void media.destroy());
    return new Stream(await engine, media);
  }

  /** A stream with so many bytes that it is read with long pauses. */
  static async paced(head = UNBOUNDED): Promise<Stream> {
    const stream = await Stream.open(head);
    stream.engine.write(head === CHUNKED ? chunk(BEGINNING) : Buffer.alloc(BEGINNING));
    await stream.hasAfterPauses(BEGINNING, FIRST_READ_PAUSE_MS);
    return stream;
  }

  async has(bytes: number): Promise<void> {
    while (this.bytes < bytes) await once(this.media, 'data');
  }

  /** Also while time is held. */
  async hasAfterPauses(bytes: number, pauseMs: number): Promise<void> {
    while (this.bytes < bytes) {
      if (vi.isFakeTimers()) vi.advanceTimersByTime(pauseMs);
      await settled();
    }
  }
}

function chunk(length: number): Buffer {
  return Buffer.concat([Buffer.from(`${length.toString(16)}\r\n`), Buffer.alloc(length), Buffer.from('\r\n')]);
}

/** Resolves when everything sent so far has been read: an exchange that started later is over. */
async function settled(): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    const address = await rawEngine((socket) => socket.once('data', () => socket.end(`${HEAD}Content-Length: 1\r\n\r\nx`)));
    const media = await new EngineClient(address).openMedia('/', { headersTimeoutMs: 2000 });
    media.resume();
    await once(media, 'close');
  }
}

/** Pauses end only when a test advances the time. */
function holdTime(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
}

describe('media', () => {
  it('take turns with other streams that start: the first megabyte is read with short pauses', async () => {
    holdTime();
    const stream = await Stream.open(UNBOUNDED);
    for (let count = 1; count <= 4; count += 1) {
      stream.engine.write(Buffer.alloc(100_000));
      await settled();
      expect(stream.bytes).toBeLessThanOrEqual(count * 64 * 1024);
      vi.advanceTimersByTime(FIRST_READ_PAUSE_MS);
    }
    await stream.hasAfterPauses(400_000, FIRST_READ_PAUSE_MS);
  });

  it('are then read with long pauses, and bytes that arrive during a pause are delivered at its end', async () => {
    holdTime();
    const stream = await Stream.paced();
    for (let count = 0; count < 4; count += 1) {
      stream.engine.write(Buffer.alloc(8192));
      await settled();
    }
    expect(stream.bytes).toBe(BEGINNING);
    await stream.hasAfterPauses(BEGINNING + 4 * 8192, MAX_READ_PAUSE_MS);
  });

  it('are read the less often, the slower they are', async () => {
    holdTime();
    const stream = await Stream.paced();
    const readsOf = async (bytes: number): Promise<number> => {
      let reads = 0;
      const count = (): void => void (reads += 1);
      stream.media.on('data', count);
      for (let ms = 0; ms < 1000; ms += 10) {
        stream.engine.write(Buffer.alloc(bytes));
        await settled();
        vi.advanceTimersByTime(10);
        await settled();
      }
      stream.media.off('data', count);
      return reads;
    };
    // Of 0.8 and of 8 Mb/s: every 100 ms, and every 40 ms after a while.
    const slow = await readsOf(1000);
    expect(slow).toBeGreaterThan(9);
    expect(slow).toBeLessThan(13);
    expect(await readsOf(10_000)).toBeGreaterThan(slow + 2);
  });

  it('of all connections are read in the same turns', async () => {
    holdTime();
    const [first, second] = [await Stream.paced(), await Stream.paced()];
    const turns = new Set<number>();
    for (let ms = 0; ms < 500; ms += 5) {
      first.engine.write(Buffer.alloc(2000));
      second.engine.write(Buffer.alloc(6000));
      await settled();
      const before = first.bytes + second.bytes;
      vi.advanceTimersByTime(5);
      await settled();
      if (first.bytes + second.bytes > before) turns.add(Math.floor(performance.now()) % 20);
    }
    expect(turns.size).toBe(1);
  });

  it('that arrive faster than real time are not limited to one read per pause', async () => {
    holdTime();
    const stream = await Stream.paced();
    const flood = 64 * 1024 * 1024;
    stream.engine.write(Buffer.alloc(flood));
    let pauses = 0;
    while (stream.bytes < BEGINNING + flood) {
      pauses += 1;
      vi.advanceTimersByTime(MAX_READ_PAUSE_MS);
      await settled();
    }
    expect(pauses).toBeLessThan(flood / (1024 * 1024));
  });

  it('leave no timer behind when they are destroyed, and the engine sees the connection close', async () => {
    holdTime();
    const stream = await Stream.paced();
    expect(vi.getTimerCount()).toBe(1);
    stream.media.destroy();
    expect(vi.getTimerCount()).toBe(0);
    await once(stream.engine, 'close');
  });

  it.each<[string, string, (engine: Socket) => void, string]>([
    ['the end of the connection', UNBOUNDED, (engine) => engine.end(Buffer.alloc(1000)), `end after ${BEGINNING + 1000}`],
    [
      'the last chunk',
      CHUNKED,
      (engine) => engine.write(Buffer.concat([chunk(1000), Buffer.from('0\r\n\r\n')])),
      `end after ${BEGINNING + 1000}`,
    ],
    ['a cut in mid-chunk', CHUNKED, (engine) => engine.end(chunk(1000).subarray(0, 500)), `ECONNRESET after ${BEGINNING + 495}`],
    [
      'an invalid chunk',
      CHUNKED,
      (engine) => engine.write(Buffer.concat([chunk(1000), Buffer.from('oops')])),
      `MalformedHttpError after ${BEGINNING + 1000}`,
    ],
  ])('report %s within two pauses, after all earlier bytes', async (_name, head, finish, told) => {
    holdTime();
    const stream = await Stream.paced(head);
    finish(stream.engine);
    await settled();
    expect(stream.told).toEqual([]);
    // One pause for the last bytes, one until the end of the connection is seen.
    for (let pause = 0; pause < 2; pause += 1) {
      vi.advanceTimersByTime(MAX_READ_PAUSE_MS);
      await settled();
    }
    await stream.closed;
    expect(stream.told).toEqual([told]);
  });

  it('report a reset', async () => {
    const stream = await Stream.paced();
    stream.engine.resetAndDestroy();
    await stream.closed;
    expect(stream.told).toEqual([`ECONNRESET after ${BEGINNING}`]);
  });

  it('end their own stream when their reader throws, and nothing else', async () => {
    const stream = await Stream.open(UNBOUNDED);
    const receive = vi.spyOn(stream.media, 'receive').mockImplementationOnce(() => {
      throw new RangeError('broken');
    });
    stream.engine.on('error', () => undefined);
    stream.engine.write('bytes');
    await stream.closed;
    expect([stream.told, receive.mock.calls.length]).toEqual([['RangeError after 0'], 1]);
  });

  it('wait for a consumer that has enough bytes', async () => {
    const stream = await Stream.open(UNBOUNDED);
    stream.media.pause();
    const length = 32 * 1024 * 1024;
    stream.engine.end(Buffer.alloc(length));
    await settled();
    expect(stream.media.readableLength).toBeGreaterThan(0);
    expect(stream.media.readableLength).toBeLessThan(256 * 1024);
    stream.media.resume();
    await once(stream.media, 'end');
    expect(stream.bytes).toBe(length);
  });
});

describe('delivered buffers', () => {
  it('are copies, also those that arrive before there is a listener', async () => {
    for (const shareBuffer of [false, true]) {
      const ones = Buffer.alloc(1000, 1);
      const address = await rawEngine((socket) => socket.once('data', () => socket.end(Buffer.concat([Buffer.from(UNBOUNDED), ones]))));
      const media = await new EngineClient(address).openMedia('/', { headersTimeoutMs: 2000, shareBuffer });
      await settled();
      const [piece] = (await once(media, 'data')) as [Buffer];
      await settled();
      expect(piece.equals(ones)).toBe(true);
    }
  });

  it('share one buffer with shareBuffer, so that a stream needs no memory of its own', async () => {
    const stream = await Stream.open(UNBOUNDED);
    const memory = new Set<ArrayBufferLike>();
    stream.media.on('data', (piece: Buffer) => memory.add(piece.buffer));
    for (let count = 1; count <= 5; count += 1) {
      stream.engine.write(Buffer.alloc(100_000));
      await stream.has(count * 100_000);
    }
    expect(memory.size).toBe(1);
  });
});
