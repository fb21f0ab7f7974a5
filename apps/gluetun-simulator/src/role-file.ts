/** Gluetun's role file (`/gluetun/auth/config.toml`): the part of TOML that such files use. */
import { type Auth, type Role } from './control-server.js';
import { OptionError } from './option-error.js';

/** @throws OptionError */
export function parseRoleFile(text: string): Role[] {
  const roles: Map<string, string | string[]>[] = [];
  let list: string[] | null = null;
  text.split('\n').forEach((line, index) => {
    const problem = (what: string): OptionError => new OptionError(`line ${index + 1} of the role file ${what}: ${line.trim()}`);
    const content = withoutComment(line).trim();
    if (content === '') return;
    if (list !== null) {
      list.push(...quoted(content));
      if (content.endsWith(']')) list = null;
      return;
    }
    if (content === '[[roles]]') return void roles.push(new Map());
    const role = roles.at(-1);
    const equals = content.indexOf('=');
    if (!role || equals < 0) throw problem('is neither [[roles]] nor a field of a role');
    const value = content.slice(equals + 1).trim();
    const words = quoted(value);
    if (value.startsWith('[')) {
      role.set(content.slice(0, equals).trim(), words);
      if (!value.endsWith(']')) list = words;
    } else if (words.length === 1) role.set(content.slice(0, equals).trim(), words[0]);
    else throw problem('has no value in quotes');
  });
  return roles.map((role) => ({ ...toAuth(Object.fromEntries(role), 'the role file'), routes: [role.get('routes') ?? []].flat() }));
}

/** @param where for the message */
export function toAuth(value: unknown, where: string): Auth {
  const { auth, apikey, username, password } = (value ?? {}) as Record<string, unknown>;
  if (auth === 'none') return { auth };
  if (auth === 'apikey' && typeof apikey === 'string' && apikey !== '') return { auth, apikey };
  if (auth === 'basic' && typeof username === 'string' && typeof password === 'string') return { auth, username, password };
  throw new OptionError(`${where}: auth must be "none", "apikey" with apikey, or "basic" with username and password`);
}

/** Texts between double quotes. These files have no escapes. */
function quoted(text: string): string[] {
  return text.split('"').filter((_, index) => index % 2 === 1);
}

function withoutComment(line: string): string {
  const parts = line.split('"');
  // Outside quotes are the parts with even numbers.
  const at = parts.findIndex((part, index) => index % 2 === 0 && part.includes('#'));
  return at < 0 ? line : [...parts.slice(0, at), parts[at].split('#')[0]].join('"');
}
