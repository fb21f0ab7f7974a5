import { describe, expect, it } from 'vitest';
import { forEachConcurrently } from './worker-pool.js';

describe('forEachConcurrently', () => {
  it('runs every item once, in order, and never more at a time than it may', async () => {
    const started: number[] = [];
    let running = 0;
    let most = 0;
    await forEachConcurrently([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
      started.push(item);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    });
    expect(started).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(most).toBe(3);
    expect(running).toBe(0);
  });

  it('does nothing when there are no items', async () => {
    await forEachConcurrently<number>([], 3, () => Promise.reject(new Error('called')));
  });

  it('rejects with the error of a failed item', async () => {
    const run = forEachConcurrently([1, 2, 3], 2, (item) => (item === 2 ? Promise.reject(new Error(`item ${item}`)) : Promise.resolve()));
    await expect(run).rejects.toThrow('item 2');
  });

  it('still runs the remaining items when one fails', async () => {
    const ended: number[] = [];
    const work = async (item: number): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      if (item === 1) throw new Error('item 1');
      ended.push(item);
    };
    await expect(forEachConcurrently([1, 2, 3, 4], 2, work)).rejects.toThrow('item 1');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ended).toEqual([2, 3, 4]);
  });
});
