import { SecretSet, SettingsError, loadSettings } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { AccessSettings, parseTokens } from './access-settings.js';
import { tokenForLinks, isOpenTarget, readAccess } from './access.request.js';

const TOKEN = 'abcdefghijklmnop.1';

describe('ACEXY_TOKENS', () => {
  it('is a list separated by commas or line breaks, and only listed tokens are accepted', () => {
    const tokens = new SecretSet(parseTokens(`${TOKEN}, second-token-0001\n`));
    expect([tokens.isEmpty, new SecretSet([]).isEmpty]).toEqual([false, true]);
    expect([TOKEN, 'second-token-0001'].every((token) => tokens.has(token))).toBe(true);
    for (const wrong of ['', TOKEN.slice(1), `${TOKEN}x`, TOKEN.toUpperCase(), `${TOKEN},`]) expect(tokens.has(wrong)).toBe(false);
  });

  it('with a token that is too short or not URL-safe is rejected without showing it', () => {
    for (const text of ['short', 'abcdefghijklmno p/', 'abcdefghijklmnop/1']) {
      let said: unknown;
      try {
        loadSettings(AccessSettings, { ACEXY_TOKENS: text });
      } catch (error) {
        said = error;
      }
      expect((said as SettingsError).faults).toMatchObject([{ name: 'ACEXY_TOKENS', value: '(hidden)' }]);
    }
  });
});

describe('the access token of a request', () => {
  it.each([
    [`/ace/getstream?id=1&token=${TOKEN}`, undefined, TOKEN, 'query', `/ace/getstream?id=1&token=${TOKEN}`],
    [`/t/${TOKEN}/ace/getstream?id=1`, undefined, TOKEN, 'path', '/ace/getstream?id=1'],
    [`/t/${TOKEN}`, undefined, TOKEN, 'path', '/'],
    [`/t/${TOKEN}?x=1`, undefined, TOKEN, 'path', '/?x=1'],
    ['/ace/getstream?id=1', `Bearer ${TOKEN}`, TOKEN, 'bearer', '/ace/getstream?id=1'],
    [`/t/wrong/ace/status?token=${TOKEN}`, `Bearer ${TOKEN}`, 'wrong', 'path', `/ace/status?token=${TOKEN}`],
    ['/ace/getstream?id=1', 'Basic x', null, null, '/ace/getstream?id=1'],
    [
      `/ace/getstream?id=1&Token=%20${TOKEN}|User-Agent=VLC`,
      undefined,
      TOKEN,
      'query',
      `/ace/getstream?id=1&Token=%20${TOKEN}|User-Agent=VLC`,
    ],
    ['/ace/getstream?id=1&token=', undefined, null, null, '/ace/getstream?id=1&token='],
    [`//t//${TOKEN}//ace//getstream?id=1`, undefined, TOKEN, 'path', '/ace/getstream?id=1'],
    [`http://tv:8080/t/${TOKEN}/ace/getstream?id=1#x`, undefined, TOKEN, 'path', '/ace/getstream?id=1'],
    ['/ace/getstream', undefined, null, null, '/ace/getstream'],
  ])('%s with %s', (target, authorization, token, place, rest) => {
    expect(readAccess(target, authorization)).toEqual({ token, place, target: rest });
  });

  it('is added to links in the way it was sent, and as a parameter if it came in a header', () => {
    expect(tokenForLinks(readAccess(`/t/${TOKEN}/playlist.m3u`, undefined))).toEqual({ prefix: `/t/${TOKEN}`, parameter: '' });
    expect(tokenForLinks(readAccess('/playlist.m3u', `Bearer ${TOKEN}`))).toEqual({ prefix: '', parameter: `token=${TOKEN}` });
    expect(tokenForLinks(readAccess('/playlist.m3u', undefined))).toEqual({ prefix: '', parameter: '' });
  });

  it('is not required for health and metrics, but for everything else', () => {
    for (const target of ['/', '/health', '/health/', '/health/ready?x=1', '/metrics', '/?x']) expect(isOpenTarget(target)).toBe(true);
    for (const target of [
      '/ace/getstream',
      '/ace/status',
      '/playlist.m3u',
      '/healthy',
      '/health/../ace/status',
      '//ace/status',
      '/metrics/x',
    ])
      expect(isOpenTarget(target)).toBe(false);
  });
});
