import { timingSafeEqual } from 'node:crypto';

/** Who may call the control server, as `HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE` of Gluetun says it. */
export type Role = { auth: 'none' } | { auth: 'apikey'; apikey: string } | { auth: 'basic'; username: string; password: string };

/** A variable says something that cannot be. */
export class OptionError extends Error {
  readonly code = 'bad_option';
}

/** Reads a role from its JSON; without one nobody may call anything, as with Gluetun. Throws OptionError. */
export function parseRole(name: string, text: string | undefined): Role | null {
  if (text === undefined || text === '') return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new OptionError(`${name}: no JSON`);
  }
  const { auth, apikey, username, password } = (value ?? {}) as Record<string, unknown>;
  if (auth === 'none') return { auth };
  if (auth === 'apikey' && typeof apikey === 'string' && apikey !== '') return { auth, apikey };
  if (auth === 'basic' && typeof username === 'string' && typeof password === 'string') return { auth, username, password };
  throw new OptionError(`${name}: auth is none, apikey (with apikey) or basic (with username and password)`);
}

export function mayCall(role: Role | null, headers: { 'x-api-key'?: string | string[]; authorization?: string }): boolean {
  switch (role?.auth) {
    case undefined:
      return false;
    case 'none':
      return true;
    case 'apikey':
      return same(String(headers['x-api-key'] ?? ''), role.apikey);
    case 'basic':
      return same(headers.authorization ?? '', `Basic ${Buffer.from(`${role.username}:${role.password}`).toString('base64')}`);
    default:
      return role satisfies never;
  }
}

function same(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
