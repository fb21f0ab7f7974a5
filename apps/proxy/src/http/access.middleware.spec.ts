import { SecretSet } from '@acexy/service-kit';
import { UnauthorizedException } from '@nestjs/common';
import type { Request, Response } from 'express';
import { describe, expect, it } from 'vitest';
import { viewerAccess } from './access.middleware.js';

const TOKEN = 'abcdefghijklmnop.1';

/** What the middleware does with a request: the URL that it leaves, the headers that it sets, and every call of `next`. */
function answer(tokens: readonly string[], url: string, authorization?: string) {
  const request = { url, headers: { authorization } } as unknown as Request;
  const headers: Record<string, string> = {};
  const response = { setHeader: (name: string, value: string) => (headers[name] = value) } as unknown as Response;
  const nexts: unknown[][] = [];
  viewerAccess(new SecretSet(tokens))(request, response, (...error: unknown[]) => void nexts.push(error));
  return { url: request.url, headers, nexts };
}

describe('a request', () => {
  it('passes unchanged without access tokens', () => {
    expect(answer([], `/t/${TOKEN}/ace/getstream`)).toEqual({ url: `/t/${TOKEN}/ace/getstream`, headers: {}, nexts: [[]] });
  });

  it('passes with a token, which is removed from the path, and without one to open paths', () => {
    const passed = { url: '/ace/getstream?id=1', headers: {}, nexts: [[]] };
    expect(answer([TOKEN], `/t/${TOKEN}/ace/getstream?id=1`)).toEqual(passed);
    expect(answer([TOKEN], '/ace/getstream?id=1', `Bearer ${TOKEN}`)).toEqual(passed);
    expect(answer([TOKEN], '/health')).toEqual({ ...passed, url: '/health' });
  });

  it.each([
    ['/ace/getstream?id=1', 'an access token is required'],
    ['/ace/getstream?id=1&token=wrong', 'the access token is not valid'],
  ])('%s is refused with the reason', (url, reason) => {
    const { headers, nexts } = answer([TOKEN], url);
    expect([headers, nexts]).toEqual([{ 'WWW-Authenticate': 'Bearer' }, [[expect.any(UnauthorizedException)]]]);
    expect((nexts[0][0] as UnauthorizedException).message).toContain(reason);
  });
});
