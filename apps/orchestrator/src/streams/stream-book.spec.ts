import { describe, expect, it } from 'vitest';
import { type TrackedStream, StreamBook } from './stream-book.js';

function aStream(id: string, overrides: Partial<TrackedStream> = {}): TrackedStream {
  return {
    id,
    keyType: 'content_id',
    key: 'k',
    infohash: null,
    title: null,
    containerId: 'e1',
    proxyId: 'p1',
    leaseId: null,
    playbackSessionId: 'x',
    statUrl: '',
    commandUrl: '',
    isLive: true,
    startedAt: 1000,
    endedAt: null,
    endReason: null,
    ...overrides,
  };
}

describe('the book of streams', () => {
  it('adding the same stream twice changes nothing', () => {
    const book = new StreamBook();
    expect(book.put(aStream('s'))?.type).toBe('started');
    expect(book.put(aStream('s', { startedAt: 2000 }))).toBeNull();
    expect(book.activeCount).toBe(1);
  });

  it('a stream keeps its id and its start when it moves to another engine', () => {
    const book = new StreamBook();
    book.put(aStream('s'));
    expect(book.put(aStream('s', { containerId: 'e2', startedAt: 2000 }))).toMatchObject({
      type: 'moved',
      stream: { containerId: 'e2', startedAt: 1000 },
    });
    expect(book.put(aStream('s', { containerId: 'e2', infohash: 'h' }))?.type).toBe('updated');
  });

  it('a stream ends once, and never before its start', () => {
    const book = new StreamBook();
    book.put(aStream('s'));
    expect(book.end('s', 'over', 500)).toMatchObject({ type: 'ended', stream: { endedAt: 1000, endReason: 'over' } });
    expect(book.end('s', 'again', 9000)).toBeNull();
    expect(book.end('unknown', 'x', 1)).toBeNull();
    expect([book.activeCount, book.active().length]).toEqual([0, 0]);
  });

  it('an ended stream that is added again plays again', () => {
    const book = new StreamBook();
    book.put(aStream('s'));
    book.end('s', 'its proxy stopped reporting', 5000);
    expect(book.put(aStream('s'))).toMatchObject({ type: 'started', stream: { endedAt: null } });
    expect(book.activeCount).toBe(1);
  });

  it('keeps a limited number of ended streams, and every playing one', () => {
    const book = new StreamBook();
    book.put(aStream('playing'));
    for (let i = 0; i < 1500; i++) {
      book.put(aStream(`s${i}`));
      book.end(`s${i}`, 'over', 2000 + i);
    }
    expect(book.all()).toHaveLength(1001);
    expect([book.get('playing'), book.get('s0'), book.get('s1499')].map(Boolean)).toEqual([true, false, true]);
  });
});
