/**
 * Parses a call of the Docker API. Only what the tables below name exists afterwards: the filter sends on a new call, built from the parsed parts,
 * so Docker cannot read the text of the caller in another way than the filter does.
 */

/** The calls that the filter knows, as docs/security.md lists them. */
export const KNOWN_CALLS = [
  'GET /_ping',
  'GET /version',
  'GET /info',
  'GET /containers/json',
  'GET /events',
  'GET /images/{image}/json',
  'GET /networks/{network}',
  'GET /containers/{id}/json',
  'POST /containers/create',
  'POST /containers/{id}/start',
  'POST /containers/{id}/stop',
  'POST /containers/{id}/restart',
  'POST /images/create',
  'DELETE /containers/{id}',
] as const;
export type KnownCall = (typeof KNOWN_CALLS)[number];

/** The query parameters of each call, and what their values look like. */
const BOOLEAN = /^(?:true|false|1|0)$/;
const SECONDS = /^\d{1,4}$/;
const REFERENCE = /^[A-Za-z0-9][\w.\-/:@]{0,254}$/;
const NAME = /^[A-Za-z0-9][\w.-]{0,254}$/;
const TAG = /^[\w.\-:]{1,128}$/;
const ANY = /^/;
const QUERY = new Map<KnownCall, Readonly<Record<string, RegExp>>>([
  ['GET /containers/json', { all: BOOLEAN, filters: ANY }],
  ['GET /events', { filters: ANY }],
  ['POST /containers/create', { name: NAME }],
  ['POST /containers/{id}/stop', { t: SECONDS }],
  ['POST /containers/{id}/restart', { t: SECONDS }],
  ['POST /images/create', { fromImage: REFERENCE, tag: TAG }],
  ['DELETE /containers/{id}', { force: BOOLEAN, v: BOOLEAN }],
]);

/** Older versions take a configuration of the container in the body of `start`, with mounts. */
const OLDEST_VERSION = 24;

export interface DockerCall {
  call: KnownCall;
  /** `/v1.41`, or nothing. */
  version: string;
  /** What stands for `{id}`, `{image}` or `{network}`. */
  subject: string;
  query: Readonly<Record<string, string>>;
}

/** @returns the call, or why it is not one of the known calls */
export function parseDockerCall(method: string, url: string): DockerCall | string {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const segments = segmentsOf(path);
  if (segments === null) return `the path ${path} is not allowed`;
  const version = /^v1\.\d{1,3}$/.test(segments[0] ?? '') ? (segments.shift() as string) : '';
  if (version !== '' && Number(version.slice(3)) < OLDEST_VERSION)
    return `API version ${version.slice(1)} is not allowed: use 1.${OLDEST_VERSION} or newer`;
  const found = matching(method, segments);
  if (found === null) return `${method} ${path} is not one of the calls that the orchestrator makes`;
  const query = parseQuery(found.call, mark < 0 ? '' : url.slice(mark + 1));
  return typeof query === 'string' ? query : { ...found, query, version: version && `/${version}` };
}

/** The call as it is sent to Docker. */
export function pathOf({ call, version }: DockerCall, subject: string, query: Readonly<Record<string, string>>): string {
  const path = call.slice(call.indexOf('/')).replace(/\{\w+\}/, () => encodeURI(subject));
  const text = new URLSearchParams(query).toString();
  return version + path + (text && `?${text}`);
}

/** The decoded parts between the slashes; null when one is empty, says "up", or is not decodable. */
function segmentsOf(path: string): string[] | null {
  try {
    const [first, ...segments] = path.split('/').map((part) => decodeURIComponent(part));
    return first === '' && segments.every((part) => part !== '' && part !== '.' && part !== '..') ? segments : null;
  } catch {
    return null; // the caller rejects it
  }
}

function matching(method: string, segments: readonly string[]): { call: KnownCall; subject: string } | null {
  for (const call of KNOWN_CALLS) {
    const [callMethod, ...pattern] = call.split(/ \/|\//);
    if (method !== callMethod) continue;
    const at = pattern.findIndex((part) => part.startsWith('{'));
    // Only the name of an image contains slashes.
    const length = pattern[at] === '{image}' ? segments.length - pattern.length + 1 : 1;
    const subject = at < 0 ? '' : segments.slice(at, at + length).join('/');
    const given = at < 0 ? segments : [...segments.slice(0, at), pattern[at], ...segments.slice(at + length)];
    const isValid = at < 0 || (pattern[at] === '{image}' ? REFERENCE : NAME).test(subject);
    if (isValid && given.join('/') === pattern.join('/') && given.length === pattern.length) return { call, subject };
  }
  return null;
}

function parseQuery(call: KnownCall, text: string): Record<string, string> | string {
  const allowed = new Map(Object.entries(QUERY.get(call) ?? {}));
  const query: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const form = allowed.get(name);
    if (form === undefined) return `the parameter ${name} of ${call} is not allowed`;
    if (!form.test(value)) return `${name}=${value} is not a value for ${call}`;
    // Each at most once.
    allowed.delete(name);
    query[name] = value;
  }
  return query;
}
