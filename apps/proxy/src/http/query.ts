/** Reads queries in the spellings of players, channel lists and web pages. */

import { SELECTORS } from './content-key.js';

/** Other names of parameters: newer engines call `id` `content_id`. */
const ALIASES = new Map([['content_id', 'id']]);
/** The character reference of `&` in HTML, as it remains in a link that was copied from a page. */
const HTML_AMPERSAND_REST = 'amp;';
const UNSEEN = /[\s\p{Cc}\p{Cf}]/u;

/**
 * The parameters of a query, with names in lower case and without aliases. A parameter without a value counts as absent. White space and invisible
 * characters around a value are removed. A value ends at `|`: there Kodi's options begin. After the id of a content, they end the query.
 */
export function readQuery(text: string): URLSearchParams {
  const query = new URLSearchParams();
  for (const [written, whole] of new URLSearchParams(text)) {
    const name = nameOf(written);
    const value = visible(beforeBar(whole));
    if (value !== '') query.append(name, value);
    if (whole.includes('|') && SELECTORS.has(name)) break;
  }
  return query;
}

function nameOf(written: string): string {
  let name = visible(written).toLowerCase();
  while (name.startsWith(HTML_AMPERSAND_REST)) name = name.slice(HTML_AMPERSAND_REST.length);
  return ALIASES.get(name) ?? name;
}

/** `text` up to the first `|`. */
export function beforeBar(text: string): string {
  const bar = text.indexOf('|');
  return bar < 0 ? text : text.slice(0, bar);
}

/** `text` without white space, control characters, byte order marks and zero-width characters at both ends. */
export function visible(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && UNSEEN.test(text[from])) from += 1;
  while (to > from && UNSEEN.test(text[to - 1])) to -= 1;
  return text.slice(from, to);
}
