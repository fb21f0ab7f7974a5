import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketAligner } from './aligner.js';
import { PACKET_SIZE, SYNC_BYTE } from './packet.js';

/** Numbered packets; their payload is full of sync bytes unless a filler is given. */
function packets(count: number, first = 0, filler: number | null = null): Buffer {
  const bytes = Buffer.alloc(count * PACKET_SIZE);
  for (let index = 0; index < count; index += 1) {
    const at = index * PACKET_SIZE;
    for (let offset = 0; offset < PACKET_SIZE; offset += 1)
      bytes[at + offset] = filler ?? ((offset * 31 + index * 7) % 5 === 0 ? SYNC_BYTE : offset & 0xff);
    bytes[at] = SYNC_BYTE;
    bytes.writeUInt32BE(first + index, at + 4);
  }
  return bytes;
}

/** The same packets as a 192- or 204-byte stream. */
function restrided(bytes: Buffer, stride: 192 | 204): Buffer {
  const extra = Buffer.alloc(stride - PACKET_SIZE, 0x11);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += PACKET_SIZE) {
    const packet = bytes.subarray(at, at + PACKET_SIZE);
    parts.push(...(stride === 192 ? [extra, packet] : [packet, extra]));
  }
  return Buffer.concat(parts);
}

function align(chunks: readonly Buffer[]): { bytes: Buffer; aligner: PacketAligner } {
  const aligner = new PacketAligner();
  const out: Buffer[] = [];
  const take = (buffer: Buffer, from: number, to: number): void => {
    expect((to - from) % PACKET_SIZE).toBe(0);
    out.push(Buffer.from(buffer.subarray(from, to)));
  };
  for (const chunk of chunks) aligner.push(chunk, take);
  aligner.flush(take);
  return { bytes: Buffer.concat(out), aligner };
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...[...cuts].map((share) => Math.floor(share * bytes.length)).sort((left, right) => left - right), bytes.length];
  return at.slice(1).map((to, index) => bytes.subarray(at[index], to));
}

const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 60 });

describe('the aligner', () => {
  it.each([188, 192, 204] as const)('returns the same packets from a stride of %i for any chunking', (stride) => {
    const whole = packets(40);
    const source = stride === 188 ? whole : restrided(whole, stride);
    fc.assert(
      fc.property(cuts, (where) => {
        const { bytes, aligner } = align(cut(source, where));
        expect(bytes.equals(whole)).toBe(true);
        expect(aligner.losses).toBe(0);
      }),
    );
  });

  it('returns the same packets byte by byte', () => {
    const whole = packets(12);
    expect(align([...whole].map((byte) => Buffer.of(byte))).bytes.equals(whole)).toBe(true);
  });

  it('keeps every whole packet around garbage, and counts one loss', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), cuts, (length, where) => {
        const [before, after] = [packets(20), packets(20, 20)];
        const garbage = Buffer.alloc(length, 0xee);
        const { bytes, aligner } = align(cut(Buffer.concat([before, garbage, after]), where));
        expect(bytes.equals(Buffer.concat([before, after]))).toBe(true);
        expect(aligner.losses).toBe(1);
      }),
    );
  });

  it('follows a change of the stride and loses at most one packet', () => {
    const parts = [packets(20, 0, 1), restrided(packets(20, 20, 1), 192), restrided(packets(20, 40, 1), 204), packets(20, 60, 1)];
    const { bytes } = align([Buffer.concat(parts)]);
    const ids = Array.from({ length: bytes.length / PACKET_SIZE }, (_, index) => bytes.readUInt32BE(index * PACKET_SIZE + 4));
    const lost = Array.from({ length: 80 }, (_, index) => index).filter((id) => !ids.includes(id));
    expect(ids).toHaveLength(80 - lost.length);
    expect(lost).toEqual([40, 61]); // the bytes after a packet of a longer stride are first taken for its time code or parity
  });

  it('starts with the next whole packet after an incomplete one', () => {
    expect(align([packets(10).subarray(100)]).bytes.equals(packets(10).subarray(PACKET_SIZE))).toBe(true);
  });

  it('drops an incomplete packet at the end and keeps a short run without a lock', () => {
    const { bytes } = align([Buffer.alloc(500, 1), packets(3)]);
    expect(bytes.equals(packets(3))).toBe(true);
    expect(align([packets(9).subarray(0, -50)]).bytes.length).toBe(8 * PACKET_SIZE);
  });

  it('passes on an aligned chunk without a copy', () => {
    const chunk = packets(30);
    const seen: (readonly [Buffer, number, number])[] = [];
    new PacketAligner().push(chunk, (buffer, from, to) => seen.push([buffer, from, to]));
    expect(seen).toHaveLength(1);
    expect(seen[0][0]).toBe(chunk);
    expect(seen[0].slice(1)).toEqual([0, chunk.length]);
  });

  it('accepts any bytes: no error, no false packet', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 8 }), (chunks) => {
        const { bytes } = align(chunks.map((chunk) => Buffer.from(chunk)));
        for (let at = 0; at < bytes.length; at += PACKET_SIZE) expect(bytes[at]).toBe(SYNC_BYTE);
        expect(bytes.length).toBeLessThanOrEqual(Buffer.concat(chunks).length);
      }),
    );
  });

  it('counts the bytes of a corrupt source since its last packet', () => {
    const aligner = new PacketAligner();
    const ignore = (): void => undefined;
    aligner.push(packets(10), ignore);
    expect(aligner.bytesWithoutLock).toBe(0);
    for (let count = 0; count < 80; count += 1) aligner.push(Buffer.alloc(1000, 0xee), ignore);
    expect(aligner.bytesWithoutLock).toBeGreaterThan(64 * 1024);
    aligner.push(packets(10), ignore);
    expect(aligner.bytesWithoutLock).toBe(0);
  });
});
