/** What AceStream content does a link mean? One answer for requests and for lists of channels. */
import { unescape as percentDecoded } from 'node:querystring';
import { HINTS, type RequestedContent, SELECTORS, VARIANTS } from './content-key.js';
import { beforeBar, readQuery, visible } from './query.js';

type Selector = RequestedContent['selector'];

/** A content as a link names it. */
export interface LinkedContent {
  readonly endpoint: 'getstream' | 'manifest.m3u8';
  /** A query that getstream accepts: one selector, then parameters of the engine and alternatives. */
  readonly query: string;
}

export const MAX_ALTERNATIVES = 8;
/** Characters of the value of another parameter. */
export const MAX_VALUE = 256;
const HEX40 = /^[0-9a-f]{40}$/i;
/** Without these, a text is not decoded: nobody encodes digits. */
const CONTAINS_HEX40 = /[0-9a-f]{40}/i;
const NO_QUERY = new URLSearchParams();
/** A link inside another one is encoded once, or twice where two programs encoded it. */
const MAX_ENCODINGS = 2;
/** Plugins call plugins. */
const MAX_NESTING = 2;
const SCHEME = /^[a-z][a-z0-9+.-]{1,31}:/i;
const ACESTREAM = 'acestream:';
const BITTORRENT_TOPIC = 'urn:btih:';
/** The last two parts of playback paths: of engines, of proxies like this one, and of mediaflow-proxy. */
const PLAYBACK_PATHS: ReadonlyMap<string, LinkedContent['endpoint']> = new Map([
  ['ace/getstream', 'getstream'],
  ['ace/manifest.m3u8', 'manifest.m3u8'],
  ['hls/manifest.m3u8', 'manifest.m3u8'],
  ['acestream/stream', 'getstream'],
  ['acestream/manifest.m3u8', 'manifest.m3u8'],
]);
/** The part of a path before the content, in links of HTTPAceProxy and similar programs. */
const PATH_SELECTORS: ReadonlyMap<string, Selector['type']> = new Map([
  ['pid', 'content_id'],
  ['content_id', 'content_id'],
  ['infohash', 'infohash'],
]);

/** The 40 hexadecimal digits in `text`, in lower case; null if it is anything else. Accepts `acestream://` before them, and encoded characters. */
export function readId(text: string): string | null {
  if (HEX40.test(text)) return text.toLowerCase();
  if (!CONTAINS_HEX40.test(text)) return null;
  let decoded = text;
  for (let encodings = 0; encodings < MAX_ENCODINGS && decoded.includes('%'); encodings += 1) decoded = percentDecoded(decoded);
  const [named] = withoutScheme(visible(beforeBar(decoded))).split('#', 1);
  const id = visible(named);
  return HEX40.test(id) ? id.toLowerCase() : null;
}

/** An alternative content: an id, or an infohash with the prefix `infohash:`; null if it is neither. */
export function readAlternative(text: string): Selector | null {
  const colon = text.indexOf(':');
  const value = readId(text.slice(colon + 1));
  const type = SELECTORS.get(colon < 0 ? 'id' : visible(text.slice(0, colon)).toLowerCase());
  return type === undefined || value === null ? null : { type, value };
}

/** The content that `link` names; null if it names none. Takes time in proportion to the length of the link. */
export function contentOfLink(link: string): LinkedContent | null {
  return readEncoded(link, MAX_NESTING);
}

function readEncoded(link: string, nesting: number): LinkedContent | null {
  if (!CONTAINS_HEX40.test(link)) return null;
  let text = visible(link);
  for (let encodings = 0; ; encodings += 1) {
    const content = readLink(text, nesting);
    if (content !== null || encodings === MAX_ENCODINGS || !text.includes('%')) return content;
    text = percentDecoded(text);
  }
}

function readLink(link: string, nesting: number): LinkedContent | null {
  const scheme = SCHEME.exec(link)?.[0].toLowerCase();
  switch (scheme) {
    case undefined:
      return linked('getstream', contentId(link), NO_QUERY);
    case ACESTREAM: {
      const [place, query] = split(link);
      const [name] = withoutScheme(place).split(/[/&]/, 1);
      return linked('getstream', contentId(name) ?? selectorIn(query), query);
    }
    case 'magnet:': {
      const [, query] = split(link);
      return linked('getstream', infohashOfMagnet(query), query);
    }
    case 'http:':
    case 'https:': {
      const [place, query] = split(link);
      const parts = partsOf(place);
      const endpoint = PLAYBACK_PATHS.get(parts.slice(-2).join('/'));
      if (endpoint !== undefined) return linked(endpoint, selectorIn(query), query);
      return linked('getstream', selectorInPath(parts), query);
    }
    case 'plugin:':
      return nesting === 0 ? null : ofPlugin(link, nesting - 1);
    default:
      return null;
  }
}

/** A link of a Kodi add-on: it contains the content, or another link. */
function ofPlugin(link: string, nesting: number): LinkedContent | null {
  const [place, query] = splitAtQuestionMark(link);
  const selector = selectorIn(query) ?? selectorInPath(partsOf(place));
  if (selector !== null) return linked('getstream', selector, query);
  const inPath = place.toLowerCase().indexOf(ACESTREAM);
  const inner = [...query].flatMap(([name, value]) => (name === 'url' || SCHEME.test(visible(value)) ? [value] : []));
  if (inPath >= 0) inner.unshift(place.slice(inPath));
  for (const value of inner) {
    const content = readEncoded(value, nesting);
    if (content !== null) return content;
  }
  return null;
}

function linked(endpoint: LinkedContent['endpoint'], selector: Selector | null, query: URLSearchParams): LinkedContent | null {
  if (selector === null) return null;
  const named = `${selector.type === 'infohash' ? 'infohash' : 'id'}=${selector.value}`;
  const kept = query === NO_QUERY ? NO_QUERY : keptOf(query);
  return { endpoint, query: kept.size === 0 ? named : `${named}&${kept.toString()}` };
}

/** The parameters of the engine and the alternatives. */
function keptOf(query: URLSearchParams): URLSearchParams {
  const kept = new URLSearchParams();
  for (const name of [...VARIANTS, ...HINTS]) {
    const value = query.get(name);
    if (value !== null && value.length <= MAX_VALUE) kept.append(name, value);
  }
  const alternatives = query.getAll('alt').flatMap((names) => names.split(',').map(readAlternative));
  for (const other of alternatives.filter((one) => one !== null).slice(0, MAX_ALTERNATIVES))
    kept.append('alt', other.type === 'infohash' ? `infohash:${other.value}` : other.value);
  return kept;
}

/** The first selector with a valid value, in the engine's order. */
function selectorIn(query: URLSearchParams): Selector | null {
  for (const [name, type] of SELECTORS) {
    for (const text of query.getAll(name)) {
      const value = readId(text);
      if (value !== null) return { type, value };
    }
  }
  return null;
}

function selectorInPath(parts: readonly string[]): Selector | null {
  for (const [index, part] of parts.entries()) {
    const type = PATH_SELECTORS.get(part);
    const value = type === undefined ? null : readId(parts[index + 1] ?? '');
    if (type !== undefined && value !== null) return { type, value };
  }
  return null;
}

function infohashOfMagnet(query: URLSearchParams): Selector | null {
  for (const topic of query.getAll('xt')) {
    const value = topic.toLowerCase().startsWith(BITTORRENT_TOPIC) ? readId(topic.slice(BITTORRENT_TOPIC.length)) : null;
    if (value !== null) return { type: 'infohash', value };
  }
  return null;
}

function contentId(text: string): Selector | null {
  const value = readId(text);
  return value === null ? null : { type: 'content_id', value };
}

/** `text` without `acestream:` and the slashes after it. */
function withoutScheme(text: string): string {
  if (text.slice(0, ACESTREAM.length).toLowerCase() !== ACESTREAM) return text;
  let from = ACESTREAM.length;
  while (text[from] === '/') from += 1;
  return text.slice(from);
}

function split(link: string): [place: string, query: URLSearchParams] {
  return splitAtQuestionMark(link.split('#', 1)[0]);
}

function splitAtQuestionMark(link: string): [place: string, query: URLSearchParams] {
  const from = link.indexOf('?');
  return from < 0 ? [link, NO_QUERY] : [link.slice(0, from), readQuery(link.slice(from + 1))];
}

/** The parts of a path in lower case, without scheme and host. */
function partsOf(place: string): string[] {
  const parts = place.toLowerCase().split('/');
  return parts.slice(3).filter((part) => part !== '');
}
