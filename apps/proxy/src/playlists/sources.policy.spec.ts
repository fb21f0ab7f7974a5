import { describe, expect, it } from 'vitest';
import { baseUrl, isAllowed, parseSources } from './sources.policy.js';

describe('the allowed sources', () => {
  const sources = parseSources(
    'https://lists.example/tv/, http://one.example:81/a.m3u?k=1, http://any.example/b.m3u, http://one.example/?k=1',
  );

  it.each([
    ['https://lists.example/tv/all.m3u', true],
    ['https://lists.example/tv/', true],
    ['http://one.example:81/a.m3u?k=1', true],
    ['http://one.example:81/a.m3u', false],
    ['http://any.example/b.m3u?k=1', true],
    ['http://any.example/b.m3u8', false],
    ['http://one.example/?k=1', true],
    ['http://one.example/c.m3u?k=1', false],
    ['https://lists.example/tvx/all.m3u', false],
    ['https://lists.example/tv/../private', false],
    ['https://lists.example/tv/..%2Fprivate', false],
    ['https://lists.example/tv/..%5cprivate', false],
    ['http://lists.example/tv/all.m3u', false],
    ['https://lists.example.evil/tv/all.m3u', false],
    ['https://user@lists.example/tv/all.m3u', false],
    ['https://lists.example:444/tv/all.m3u', false],
  ])('%s: %s', (url, allowed) => expect(isAllowed(new URL(url), sources)).toBe(allowed));

  it('are none by default, and a value that is not a URL is named', () => {
    expect(isAllowed(new URL('http://x/'), parseSources(''))).toBe(false);
    expect(() => parseSources('lists.example')).toThrow('must be http(s) URLs separated by commas; "lists.example" is not an http(s) URL');
  });
});

describe('the base URL of the proxy', () => {
  const asked = {
    protocol: 'http',
    host: 'tv:8080',
    forwardedProto: undefined,
    forwardedHost: undefined,
    forwardedPrefix: undefined,
    local: { address: '::ffff:10.0.0.5', port: 8080 },
  };

  it('comes from the Host header, the X-Forwarded headers, or the local address', () => {
    expect(baseUrl(asked)).toBe('http://tv:8080');
    expect(baseUrl({ ...asked, forwardedProto: 'https, http', forwardedHost: 'tv.example', forwardedPrefix: '/acexy/' })).toBe(
      'https://tv.example/acexy',
    );
    expect(baseUrl({ ...asked, host: undefined })).toBe('http://10.0.0.5:8080');
    expect(baseUrl({ ...asked, host: undefined, local: { address: '10.0.0.5', port: 80 } })).toBe('http://10.0.0.5:80');
    expect(baseUrl({ ...asked, host: undefined, local: { address: 'fd00::1', port: 80 } })).toBe('http://[fd00::1]:80');
    expect(baseUrl({ ...asked, host: '[::1]:8080' })).toBe('http://[::1]:8080');
    expect(baseUrl({ ...asked, forwardedPrefix: '/tv/acexy///' })).toBe('http://tv:8080/tv/acexy');
  });

  it('is never an invalid value', () => {
    expect(baseUrl({ ...asked, forwardedHost: 'a b"\nx', forwardedProto: 'javascript', forwardedPrefix: '/../"' })).toBe('http://tv:8080');
  });
});
