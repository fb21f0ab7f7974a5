/** Reads the query of `/ace/getstream`. */
import { CodedError } from '@acexy/service-kit/primitives';
import { HINTS, type RequestedContent, SELECTORS, VARIANTS, requestKey } from './content-key.js';
import { MAX_ALTERNATIVES, MAX_VALUE, readAlternative, readId } from './content-link.js';
import { visible } from './query.js';

/** The query names no content, or has a parameter that viewers may not set. The message names the parameter. */
export class PlaybackRequestError extends CodedError {
  readonly code = 'bad_playback_request';
}

/** With these the engine would download from a URL that a viewer names, or mix up our player ids. */
const REJECTED = ['sid', 'url', 'direct_url', 'magnet'];
/** Characters of a wrong value in an error message. */
const MAX_SHOWN = 60;

/** @param query from readQuery. @throws PlaybackRequestError */
export function parseGetstream(query: URLSearchParams): RequestedContent {
  for (const name of REJECTED) if (query.has(name)) throw new PlaybackRequestError(`parameter "${name}" is not allowed here: leave it out`);
  const selector = parseSelector(query);
  return { selector, variant: pick(query, VARIANTS), hints: pick(query, HINTS) };
}

/**
 * The requested content and its alternatives in the viewer's order of preference. `alt` may be repeated, or list several separated by commas.
 * @throws PlaybackRequestError
 */
export function parseChoices(query: URLSearchParams): readonly [RequestedContent, ...RequestedContent[]] {
  const content = parseGetstream(query);
  const names = query
    .getAll('alt')
    .flatMap((value) => value.split(','))
    .filter((name) => visible(name) !== '');
  if (names.length > MAX_ALTERNATIVES)
    throw new PlaybackRequestError(`parameter "alt" has ${names.length} contents: at most ${MAX_ALTERNATIVES} are allowed`);
  const others = names.map((name): RequestedContent => {
    const selector = readAlternative(name);
    if (selector === null)
      throw new PlaybackRequestError(
        `parameter "alt" must be 40 hexadecimal digits, with the prefix "infohash:" if they are an infohash, but is ${shown(name)}`,
      );
    return { ...content, selector };
  });
  const known = new Set([requestKey(content)]);
  return [content, ...others.filter((other) => !known.has(requestKey(other)) && known.add(requestKey(other)))];
}

/** The selector of a query. @throws PlaybackRequestError if there is none, if there are two, or if it is not 40 hexadecimal digits */
export function parseSelector(query: URLSearchParams): RequestedContent['selector'] {
  const given = [...SELECTORS].filter(([name]) => query.has(name));
  if (given.length === 0) throw new PlaybackRequestError('one of the parameters "id" and "infohash" is required');
  if (given.length > 1) throw new PlaybackRequestError('only one of the parameters "id" and "infohash" is allowed');
  const [[name, type]] = given;
  const ids = query.getAll(name).map((text) => {
    const id = readId(text);
    if (id === null) throw new PlaybackRequestError(`parameter "${name}" must be 40 hexadecimal digits, but is ${shown(text)}`);
    return id;
  });
  return { type, value: single(name, ids) };
}

function pick(query: URLSearchParams, names: ReadonlySet<string>): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of names) if (query.has(name)) picked[name] = single(name, query.getAll(name));
  return picked;
}

/** The value of a parameter that may be repeated, but not with another value. */
function single(name: string, values: readonly string[]): string {
  const [value] = values;
  if (values.some((other) => other !== value))
    throw new PlaybackRequestError(`parameter "${name}" is given ${values.length} times with different values: give it once`);
  if (value.length > MAX_VALUE)
    throw new PlaybackRequestError(`parameter "${name}" has ${value.length} characters: at most ${MAX_VALUE} are allowed`);
  return value;
}

function shown(text: string): string {
  return `"${text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text}"`;
}
