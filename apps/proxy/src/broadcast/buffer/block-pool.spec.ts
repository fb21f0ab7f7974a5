import { describe, expect, it } from 'vitest';
import { BlockPool } from './block-pool.js';

describe('the pool of blocks', () => {
  it('uses a block again only when nobody holds it', () => {
    const pool = new BlockPool();
    const block = pool.take(1);
    block.hold();
    block.hold();
    block.release();
    expect(pool.take(1)).not.toBe(block);
    block.release();
    expect(pool.take(1)).toBe(block);
    expect(pool.take(1)).not.toBe(block);
  });

  it('never uses a pinned block again', () => {
    const pool = new BlockPool();
    const block = pool.take(1);
    block.hold();
    block.pin();
    block.release();
    expect(pool.take(1)).not.toBe(block);
  });

  it('gives blocks as large as wanted, and keeps only those of the usual size', () => {
    const pool = new BlockPool();
    const [usual, large] = [pool.take(1), pool.take(10_000_000)];
    expect(large.bytes.length).toBe(10_000_000);
    for (const block of [usual, large]) {
      block.hold();
      block.release();
    }
    expect(pool.take(1)).toBe(usual);
    expect(pool.take(10_000_000) === large).toBe(false);
  });

  it('keeps a limited number of free blocks', () => {
    const pool = new BlockPool();
    const blocks = Array.from({ length: 200 }, () => pool.take(1));
    for (const block of blocks) block.hold();
    for (const block of blocks) block.release();
    const again = Array.from({ length: 200 }, () => pool.take(1));
    expect(again.filter((block) => blocks.includes(block)).length).toBe(128);
  });
});
