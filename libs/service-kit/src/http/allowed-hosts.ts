/**
 * Protection against DNS rebinding: a web page of another site can let its own host name point to this service, and its scripts could then
 * read every answer, because for the browser page and service are one site. The Host header of such a request has the name of that site.
 */
import { ForbiddenException } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { isIP } from 'node:net';
import { parseHosts } from './browser-settings.js';

/** Names that no DNS server of the Internet resolves (RFC 6761, 6762, 8375, and the names that networks reserve for themselves). */
const LOCAL_DOMAINS = ['.local', '.lan', '.home.arpa', '.internal'];
/** Browsers send at least one of these. Over plain HTTP that is often only Accept-Language. */
const BROWSER_HEADERS = ['origin', 'referer', 'accept-language'];
const FETCH_METADATA = 'sec-fetch-';
const MAX_NAME = 253;
const ANY = '*';

/**
 * Express middleware: answers 403 to a request that looks like a browser's and has a foreign host name. Players, programs and other services
 * are not affected, because their requests do not have the headers of a browser.
 * @param setting value of ALLOWED_HOSTS
 */
export function allowedHosts(setting: string | undefined) {
  const allowed = new Set(parseHosts(setting ?? ''));
  return (request: Request, _response: Response, next: NextFunction): void => {
    const name = hostName(request.headers.host ?? '');
    if (allowed.has(ANY) || allowed.has(name) || isLocal(name) || !looksLikeBrowser(request)) {
      next();
      return;
    }
    const shown = JSON.stringify(name.slice(0, MAX_NAME));
    const advice = 'add it to the setting ALLOWED_HOSTS, or use the IP address of this service';
    next(new ForbiddenException(`the host name ${shown} is not allowed for web browsers: ${advice}`));
  };
}

/** The name in a Host header, in lower case, without port and without the dot of a full name. */
function hostName(header: string): string {
  const end = header.startsWith('[') ? header.indexOf(']') + 1 : header.indexOf(':');
  const name = (end > 0 ? header.slice(0, end) : header).toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

function isLocal(name: string): boolean {
  const isAddress = name.startsWith('[') ? isIP(name.slice(1, -1)) === 6 : isIP(name) === 4;
  return isAddress || !name.includes('.') || LOCAL_DOMAINS.some((domain) => name.endsWith(domain));
}

function looksLikeBrowser({ headers }: Request): boolean {
  return (
    BROWSER_HEADERS.some((name) => headers[name] !== undefined) || Object.keys(headers).some((name) => name.startsWith(FETCH_METADATA))
  );
}
