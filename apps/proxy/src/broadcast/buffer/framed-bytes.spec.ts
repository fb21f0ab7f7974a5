import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dechunk } from '../../../../../test/doubles/proxy/broadcast.fixture.js';
import { FramedBuffer, LAST_CHUNK, frame } from './framed-bytes.js';

describe('framed bytes', () => {
  it('are one HTTP/1.1 chunk, and the data is a view into it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 5000 }), (bytes) => {
        const { framed, data } = frame(bytes);
        expect(dechunk(Buffer.concat([framed, LAST_CHUNK]))).toEqual({ bytes: Buffer.from(bytes), ended: true });
        expect([data.equals(bytes), data.buffer === framed.buffer]).toEqual([true, true]);
      }),
    );
  });

  it('are never empty, which would end the reply, and never longer than their buffer', () => {
    expect(() => new FramedBuffer(10).close(0)).toThrow(RangeError);
    expect(() => new FramedBuffer(10).close(11)).toThrow(RangeError);
  });
});
