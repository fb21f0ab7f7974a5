import type { HttpException } from '@nestjs/common';
import type { Request, Response } from 'express';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowedHosts } from './allowed-hosts.js';
import { parseHosts } from './browser-settings.js';

const BROWSER = { 'accept-language': 'en' };

/** The error that the service answers with; null if it serves the request. */
function refusal(headers: Record<string, string>, setting?: string): HttpException | null {
  let result: unknown = 'no answer';
  allowedHosts(setting)({ headers } as unknown as Request, {} as Response, (error?: unknown) => (result = error ?? null));
  return result as HttpException | null;
}
const isServed = (host: string, setting?: string): boolean => refusal({ host, ...BROWSER }, setting) === null;

describe('requests of web browsers', () => {
  it.each([
    ['192.168.1.5'],
    ['192.168.1.5:8080'],
    ['[::1]:8080'],
    ['[2001:db8::1]'],
    ['localhost:8000'],
    ['LOCALHOST'],
    ['localhost.'],
    ['nas'],
    ['acexy:8080'],
    ['Nas.Local'],
    ['tv.lan:8080'],
    ['tv.home.arpa.'],
    ['acexy.internal'],
    [''],
  ])('are answered at "%s"', (host) => expect(isServed(host)).toBe(true));

  it.each([
    ['evil.example'],
    ['evil.example:8080'],
    ['evil.example.'],
    ['127.0.0.1.evil.example'],
    ['1.2.3.4.5'],
    ['local.evil.example'],
    ['evillocal.example'],
    ['notlan.lan.example'],
    ['[evil.example]'],
    ['[1.2.3.4]'],
    ['evil.example]'],
    ['user@127.0.0.1.evil.example'],
  ])('get 403 at "%s", and the answer names the setting', (host) => {
    const error = refusal({ host, ...BROWSER });
    expect(error?.getStatus()).toBe(403);
    expect(error?.message).toContain('ALLOWED_HOSTS');
  });

  it('are known by any of their headers, and programs and players send none of these', () => {
    for (const name of ['origin', 'referer', 'accept-language', 'sec-fetch-mode', 'sec-fetch-dest', 'sec-fetch-site'])
      expect([name, refusal({ host: 'tv.example.org', [name]: '' })?.getStatus()]).toEqual([name, 403]);
    const player = { 'user-agent': 'Lavf/59.27.100', accept: '*/*', range: 'bytes=0-', 'icy-metadata': '1', authorization: 'Bearer x' };
    expect(refusal({ host: 'tv.example.org', ...player })).toBeNull();
  });

  it('are answered at the names in ALLOWED_HOSTS, or at all with *', () => {
    expect(isServed('TV.example.org:443', 'tv.example.org, tv2.example.org')).toBe(true);
    expect(isServed('tv2.example.org.', 'tv.example.org,TV2.example.org')).toBe(true);
    expect(isServed('www.tv.example.org', 'tv.example.org')).toBe(false);
    expect(isServed('any.example', '*')).toBe(true);
  });

  it('at a domain of the Internet are never answered, whatever its spelling', () => {
    const spelling = fc.tuple(fc.domain(), fc.constantFrom('', '.', ':80', '.:8080'), fc.boolean());
    fc.assert(
      fc.property(spelling, ([domain, end, upper]) => {
        fc.pre(!/\.(local|lan|internal)$/.test(domain));
        return !isServed(`${upper ? domain.toUpperCase() : domain}${end}`);
      }),
    );
  });

  it('with any text as host name are answered or get 403, nothing else', () => {
    fc.assert(fc.property(fc.string(), (host) => [null, 403].includes(refusal({ host, ...BROWSER })?.getStatus() ?? null)));
  });

  it('an invalid ALLOWED_HOSTS is reported', () => {
    for (const text of ['https://tv.example.org', 'tv.example.org:8080', 'tv example', 'tv.example/x', 'a@b'])
      expect(() => parseHosts(text)).toThrow('must be host names such as tv.example.org');
    expect(parseHosts(' TV.example.org , *')).toEqual(['tv.example.org', '*']);
  });
});
