import { describe, expect, it } from 'vitest';
import { ContentKeys } from './content-keys.js';

const INFOHASH = 'AB'.repeat(20);

describe('content keys', () => {
  it('ignore the case of an id', () => {
    const keys = new ContentKeys();
    expect(keys.of({ keyType: 'infohash', key: INFOHASH })).toEqual(keys.of({ keyType: 'infohash', key: INFOHASH.toLowerCase() }));
  });

  it('distinguish a content id from an equal infohash', () => {
    const keys = new ContentKeys();
    expect(keys.of({ keyType: 'content_id', key: INFOHASH })).not.toEqual(keys.of({ keyType: 'infohash', key: INFOHASH }));
  });

  it('include the infohash that any earlier request gave for a content id', () => {
    const keys = new ContentKeys();
    expect(keys.of({ keyType: 'content_id', key: 'c1' })).toHaveLength(1);
    keys.of({ keyType: 'content_id', key: 'c1', infohash: INFOHASH });
    const [byInfohash] = keys.of({ keyType: 'infohash', key: INFOHASH });
    expect(keys.of({ keyType: 'content_id', key: 'C1' })).toContain(byInfohash);
  });

  it('remember only a limited number of 20,000 contents', () => {
    const keys = new ContentKeys();
    for (let i = 0; i < 20_000; i++) keys.of({ keyType: 'content_id', key: `c${i}`, infohash: INFOHASH });
    expect(keys.of({ keyType: 'content_id', key: 'c0' })).toHaveLength(1);
    expect(keys.of({ keyType: 'content_id', key: 'c19999' })).toHaveLength(2);
  });
});
