import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentOfLink } from './content-link.js';

const HEX = 'ab01cdef'.repeat(5);

describe('an AceStream link', () => {
  const links = fc.constantFrom<string[]>(
    `acestream://${HEX}`,
    `acestream:?content_id=${HEX}&_idx=2`,
    `http://127.0.0.1:6878/ace/getstream?id=${HEX}&pid=1`,
    `https://tv.example/tv//ace/manifest.m3u8?infohash=${HEX}`,
    `http://h:8000/infohash/${HEX}/a.ts`,
    `magnet:?xt=urn:btih:${HEX}`,
  );

  it('means the same content inside the link of a plugin, encoded up to two times, and inside a plugin that calls a plugin', () => {
    fc.assert(
      fc.property(
        links,
        fc.integer({ min: 0, max: 2 }),
        fc.constantFrom('url', 'URL', 'link'),
        fc.boolean(),
        (link, encodings, name, twice) => {
          let inner = link;
          for (let count = 0; count < encodings; count += 1) inner = encodeURIComponent(inner);
          // Without an encoding, an ampersand in the link ends the parameter.
          if (encodings === 0) inner = inner.replace(/&.*/, '');
          const plugin = `plugin://plugin.video.example/?mode=1&${name}=${inner}&name=x`;
          const outer = twice ? `plugin://plugin.video.other/?url=${encodeURIComponent(plugin)}` : plugin;
          expect(contentOfLink(outer)).toEqual(contentOfLink(encodings === 0 ? link.replace(/&.*/, '') : link));
        },
      ),
    );
  });

  it.each([
    'plugin://',
    'plugin://a?url=',
    'plugin%3A%2F%2Fa%3Furl%3D',
    '%25',
    '%',
    'acestream:',
    '&url=',
    '/pid/',
    'http://',
    '&amp;',
    '?',
    '#',
    '\u200b',
  ])(
    'of half a megabyte of %j is read in time that grows with its length only',
    (part) => {
      const text = part.repeat(Math.ceil(500_000 / part.length));
      for (const link of ['', 'plugin://a?url=', 'acestream:', 'http://h/', 'magnet:?xt='].map((start) => start + text))
        expect(() => contentOfLink(link + HEX)).not.toThrow();
    },
    60_000,
  );
});
