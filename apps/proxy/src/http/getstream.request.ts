/** What `/ace/getstream` is asked for, read from the query. Pure. */
import { type RequestedContent, type SelectorType, requestKey } from '../sessions/content-key.js';

/** The query does not say what to play, or says what a viewer may not; the message names the parameter. */
export class PlaybackRequestError extends Error {
  readonly code = 'bad_playback_request';

  constructor(message: string) {
    super(message);
    this.name = 'PlaybackRequestError';
  }
}

const SELECTORS: Readonly<Record<string, SelectorType>> = { id: 'content_id', infohash: 'infohash' };
const HEX40 = /^[0-9a-f]{40}$/i;
/** Each of these makes another session of the content. */
const VARIANTS = /^(_idx|quality|transcode_(audio|mp3|ac3))$/;
/** Handed on to the engine as they are. `format` is ours; what is not named here is left out. */
const HINTS = new Set(['stream_id', 'preferred_audio_language', 'disable_p2p', 'gdpr_consent', 'product_key', 'hlc', 'spv']);
/** The engine would fetch what a stranger names, or mix up our players. */
const REFUSED = new Set(['pid', 'sid', 'url', 'direct_url', 'magnet']);
const MAX_VALUE = 256;
/** Further names of the channel: content ids, or infohashes behind their kind. */
const ALTERNATIVE = /^(?:(id|infohash):)?([0-9a-f]{40})$/i;
const MAX_ALTERNATIVES = 8;

/** @throws PlaybackRequestError */
export function parseGetstream(query: URLSearchParams): RequestedContent {
  for (const name of REFUSED) if (query.has(name)) throw new PlaybackRequestError(`parameter "${name}" is not taken here`);
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
 * What is to be played, in the order of the viewer's choice: the content, and those that `alt` names, repeated or with commas.
 * @throws PlaybackRequestError
 */
export function parseChoices(query: URLSearchParams): readonly [RequestedContent, ...RequestedContent[]] {
  const content = parseGetstream(query);
  const names = query.getAll('alt').flatMap((value) => value.split(','));
  if (names.length > MAX_ALTERNATIVES) throw new PlaybackRequestError(`parameter "alt" may name ${MAX_ALTERNATIVES} contents at the most`);
  const others = names.map((name): RequestedContent => {
    const match = ALTERNATIVE.exec(name);
    if (match === null)
      throw new PlaybackRequestError('parameter "alt" must be 40 hexadecimal digits, with "infohash:" before them where they are that');
    const [, kind = 'id', value] = match;
    return { ...content, selector: { type: SELECTORS[kind.toLowerCase()], value: value.toLowerCase() } };
  });
  const known = new Set([requestKey(content)]);
  return [content, ...others.filter((other) => !known.has(requestKey(other)) && known.add(requestKey(other)))];
}

/** The one selector of a query. @throws PlaybackRequestError without one, with both, or when it is not 40 hexadecimal digits */
export function parseSelector(query: URLSearchParams): RequestedContent['selector'] {
  const given = Object.keys(SELECTORS).filter((name) => query.has(name));
  if (given.length === 0) throw new PlaybackRequestError('one of the parameters "id" and "infohash" must be given');
  if (given.length > 1) throw new PlaybackRequestError('only one of the parameters "id" and "infohash" may be given');
  const [name] = given;
  const value = single(query, name);
  if (!HEX40.test(value)) throw new PlaybackRequestError(`parameter "${name}" must be 40 hexadecimal digits`);
  return { type: SELECTORS[name], value: value.toLowerCase() };
}

function single(query: URLSearchParams, name: string): string {
  const values = query.getAll(name);
  if (values.length > 1) throw new PlaybackRequestError(`parameter "${name}" may be given once only`);
  if (values[0].length > MAX_VALUE) throw new PlaybackRequestError(`parameter "${name}" is longer than ${MAX_VALUE} characters`);
  return values[0];
}
