import { describe, expect, it } from 'vitest';
import { type StatSample, StatBook } from './stat-book.js';

function at(ts: number): StatSample {
  return { ts, peers: 1, speedDown: 2, speedUp: 3, downloaded: 4, uploaded: 5, status: 'dl' };
}

describe('the statistics of streams', () => {
  it('are limited to the newest of each stream, oldest first', () => {
    const book = new StatBook(3);
    for (let ts = 1; ts <= 10; ts++) {
      book.add('s', at(ts));
      expect(book.since('s').map((snapshot) => snapshot.ts)).toEqual([ts - 2, ts - 1, ts].filter((each) => each > 0));
    }
    expect(book.oldest('s')).toBe(8);
    expect(book.since('another')).toEqual([]);
    expect(book.oldest('another')).toBeNull();
  });

  it('begin at the requested time, inclusive', () => {
    const book = new StatBook(10);
    for (const ts of [10, 20, 30]) book.add('s', at(ts));
    expect(book.since('s', 20).map(({ ts }) => ts)).toEqual([20, 30]);
    expect(book.since('s', 31)).toEqual([]);
  });

  it('of an earlier run come before those added meanwhile', () => {
    const book = new StatBook(3);
    book.add('s', at(40));
    book.restore('s', [at(10), at(20), at(30)]);
    expect(book.since('s').map(({ ts }) => ts)).toEqual([20, 30, 40]);
    book.forget('s');
    expect([book.has('s'), book.streamIds()]).toEqual([false, []]);
  });
});
