/** Reads the query of `/ace/getstream`. */
import { CodedError } from '@acexy/service-kit/primitives';
import { type RequestedContent, type SelectorType, requestKey } from './content-key.js';

/** The query names no content, or has a parameter that viewers may not set. The message names the parameter. */
export class PlaybackRequestError extends CodedError {
  readonly code = 'bad_playback_request';
}

const SELECTORS: Readonly<Record<string, SelectorType>> = { id: 'content_id', infohash: 'infohash' };
const HEX40 = /^[0-9a-f]{40}$/i;
/** Each of these makes another session of the same content. */
const VARIANTS = /^(_idx|quality|transcode_(audio|mp3|ac3))$/;
/** Passed on to the engine unchanged. `format` is ours; parameters not listed here are dropped. */
const HINTS = new Set(['stream_id', 'preferred_audio_language', 'disable_p2p', 'gdpr_consent', 'product_key', 'hlc', 'spv']);
/** With these the engine would download from a URL that a viewer names, or mix up our player ids. */
const REJECTED = new Set(['pid', 'sid', 'url', 'direct_url', 'magnet']);
const MAX_VALUE = 256;
/** An alternative content: a content id, or an infohash with the prefix `infohash:`. */
const ALTERNATIVE = /^(?:(id|infohash):)?([0-9a-f]{40})$/i;
const MAX_ALTERNATIVES = 8;

/** @throws PlaybackRequestError */
export function parseGetstream(query: URLSearchParams): RequestedContent {
  for (const name of REJECTED) if (query.has(name)) throw new PlaybackRequestError(`parameter "${name}" is not allowed here: leave it out`);
  const selector = parseSelector(query);
  const variant: Record<string, string> = {};
  const hints: Record<string, string> = {};
  for (const name of new Set(query.keys())) {
    const kind = VARIANTS.test(name) ? variant : HINTS.has(name) ? hints : null;
    if (kind) kind[name] = single(query, name);
  }
  return { selector, variant, hints };
}

/**
 * The requested content and its alternatives in the viewer's order of preference. `alt` may be repeated, or list several separated by commas.
 * @throws PlaybackRequestError
 */
export function parseChoices(query: URLSearchParams): readonly [RequestedContent, ...RequestedContent[]] {
  const content = parseGetstream(query);
  const names = query.getAll('alt').flatMap((value) => value.split(','));
  if (names.length > MAX_ALTERNATIVES)
    throw new PlaybackRequestError(`parameter "alt" has ${names.length} contents: at most ${MAX_ALTERNATIVES} are allowed`);
  const others = names.map((name): RequestedContent => {
    const match = ALTERNATIVE.exec(name);
    if (match === null)
      throw new PlaybackRequestError('parameter "alt" must be 40 hexadecimal digits, with the prefix "infohash:" if they are an infohash');
    const [, kind = 'id', value] = match;
    return { ...content, selector: { type: SELECTORS[kind.toLowerCase()], value: value.toLowerCase() } };
  });
  const known = new Set([requestKey(content)]);
  return [content, ...others.filter((other) => !known.has(requestKey(other)) && known.add(requestKey(other)))];
}

/** The selector of a query. @throws PlaybackRequestError if there is none, if there are two, or if it is not 40 hexadecimal digits */
export function parseSelector(query: URLSearchParams): RequestedContent['selector'] {
  const given = Object.keys(SELECTORS).filter((name) => query.has(name));
  if (given.length === 0) throw new PlaybackRequestError('one of the parameters "id" and "infohash" is required');
  if (given.length > 1) throw new PlaybackRequestError('only one of the parameters "id" and "infohash" is allowed');
  const [name] = given;
  const value = single(query, name);
  if (!HEX40.test(value)) throw new PlaybackRequestError(`parameter "${name}" must be 40 hexadecimal digits`);
  return { type: SELECTORS[name], value: value.toLowerCase() };
}

function single(query: URLSearchParams, name: string): string {
  const values = query.getAll(name);
  if (values.length > 1) throw new PlaybackRequestError(`parameter "${name}" is given ${values.length} times: give it once`);
  if (values[0].length > MAX_VALUE)
    throw new PlaybackRequestError(`parameter "${name}" has ${values[0].length} characters: at most ${MAX_VALUE} are allowed`);
  return values[0];
}
