import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkBuilder } from './chunk-builder.js';
import type { FramedBytes } from './framed-bytes.js';

const PACKET = 188;

/** Packets that differ from each other. */
function packets(count: number, first: number): Buffer {
  const bytes = Buffer.alloc(count * PACKET);
  for (let index = 0; index < count; index += 1) bytes.fill((first + index) % 251, index * PACKET, (index + 1) * PACKET);
  return bytes;
}

describe('the chunk builder', () => {
  it('returns every byte once and in order, framed, wherever chunks and blocks end', () => {
    const step = fc.record({ append: fc.integer({ min: 1, max: 900 }), take: fc.nat({ max: 1000 }) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400_000 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
        const builder = new ChunkBuilder(capacity);
        const chunks: FramedBytes[] = [];
        const sent: Buffer[] = [];
        let count = 0;
        const take = (length: number): void => void chunks.push(builder.take(length));
        for (const { append, take: share } of steps) {
          const bytes = packets(append, count);
          count += append;
          sent.push(bytes);
          for (let at = 0; at < bytes.length;) {
            if (builder.full) take(Math.max(1, Math.ceil(((builder.length / PACKET) * share) / 1000)) * PACKET);
            at += builder.append(bytes, at, bytes.length);
          }
          const length = Math.floor(((builder.length / PACKET) * share) / 1000) * PACKET;
          if (length > 0) take(length);
        }
        while (builder.length > 0) take(builder.length);
        expect(Buffer.concat(chunks.map(({ data }) => data)).equals(Buffer.concat(sent))).toBe(true);
        for (const { framed, data } of chunks) {
          expect(data.length).toBeLessThanOrEqual(Math.max(capacity, PACKET));
          const [size] = framed.toString('latin1', 0, 10).split('\r\n');
          expect([parseInt(size, 16), framed.length, framed.toString('latin1', framed.length - 2)]).toEqual([
            data.length,
            data.length + 12,
            '\r\n',
          ]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('drops the end of the chunk on demand', () => {
    const builder = new ChunkBuilder(10 * PACKET);
    builder.append(packets(5, 0), 0, 5 * PACKET);
    builder.truncate(2 * PACKET);
    builder.append(packets(1, 9), 0, PACKET);
    expect(builder.take(3 * PACKET).data).toEqual(Buffer.concat([packets(2, 0), packets(1, 9)]));
  });

  it('refuses a chunk without bytes, which would end the reply, and one that is longer than its bytes', () => {
    const builder = new ChunkBuilder(1000);
    expect(() => builder.take(0)).toThrow('chunk length is 0: it must be between 1 and 0 bytes');
    builder.append(packets(2, 0), 0, 2 * PACKET);
    expect(() => builder.take(0)).toThrow(RangeError);
    expect(() => builder.take(3 * PACKET)).toThrow('chunk length is 564: it must be between 1 and 376 bytes');
  });
});
