import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BitReader } from './bit-reader.js';

/** The bits of ue(v), as text. */
function exponentialCode(value: number): string {
  const bits = (value + 1).toString(2);
  return '0'.repeat(bits.length - 1) + bits;
}

function bytesOf(bits: string): number[] {
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0');
  return Array.from({ length: padded.length / 8 }, (_, index) => Number.parseInt(padded.slice(index * 8, index * 8 + 8), 2));
}

describe('a bit reader', () => {
  it('reads bits and Exp-Golomb codes in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.record({ code: fc.nat(1_000_000) }), fc.record({ bits: fc.nat(255) })), { maxLength: 20 }),
        (items) => {
          const text = items.map((item) => ('code' in item ? exponentialCode(item.code) : item.bits.toString(2).padStart(8, '0'))).join('');
          const reader = new BitReader(bytesOf(text));
          for (const item of items)
            expect('code' in item ? reader.exponential() : reader.bits(8)).toBe('code' in item ? item.code : item.bits);
          expect(reader.complete).toBe(true);
        },
      ),
    );
  });

  it('notices that it has read past the end, and always comes to an end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), (bytes) => {
        const reader = new BitReader(bytes);
        for (let count = 0; count < 60; count += 1) expect(reader.exponential()).toBeGreaterThanOrEqual(0);
        expect(reader.complete).toBe(false);
      }),
    );
  });
});
