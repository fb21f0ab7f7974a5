import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { requestKey, contentKey } from './content-key.js';

const HEX = 'a'.repeat(40);

describe('the key of a content', () => {
  it('does not depend on the order of the parameters', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('_idx', 'quality', 'transcode_mp3', 'transcode_ac3'), fc.string()), (variant) => {
        const reversed = Object.fromEntries(Object.entries(variant).reverse());
        expect(contentKey('infohash', HEX, variant)).toBe(contentKey('infohash', HEX, reversed));
      }),
    );
  });

  it('differs when a parameter differs, whatever characters it contains', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        const same = contentKey('infohash', HEX, { quality: a }) === contentKey('infohash', HEX, { quality: b });
        expect(same).toBe(a === b);
      }),
    );
    expect(contentKey('infohash', HEX, { _idx: '1&quality=2' })).not.toBe(contentKey('infohash', HEX, { _idx: '1', quality: '2' }));
  });

  it('differs between content id and infohash, and ignores hints', () => {
    expect(contentKey('content_id', HEX, {})).not.toBe(contentKey('infohash', HEX, {}));
    const content = { selector: { type: 'infohash' as const, value: HEX }, variant: {}, hints: {} };
    expect(requestKey({ ...content, hints: { gdpr_consent: '1' } })).toBe(requestKey(content));
  });
});
