/** Rewrites the AceStream links of a playlist to this proxy. Every other byte stays as it is. */

const HEX = '[0-9a-f]{40}';
const ID_LINK = new RegExp(`^acestream://(${HEX})/?$`, 'i');
const BARE_ID = new RegExp(`^(${HEX})$`, 'i');
/** Links as HTTPAceProxy and similar programs write them. */
const PATH_LINK = new RegExp(`^https?://[^/]+/(pid|content_id|infohash)/(${HEX})(?:/|$)`, 'i');
const MAGNET_HASH = new RegExp(`^urn:btih:(${HEX})$`, 'i');
const QUERY_LINK = /^(acestream:(?:\/\/)?\?|magnet:\?|plugin:\/\/|https?:\/\/)/i;
/** Playback paths of engines and of proxies like this one. */
const PLAYBACK_PATH = /^\/(?:ace\/getstream|ace\/manifest\.m3u8|hls\/manifest\.m3u8)\/?$/;
/** Query parameters of a link that are kept; the others concern an engine or another player. */
const KEPT = /^(_idx|quality|transcode_(audio|mp3|ac3)|preferred_audio_language|alt)$/;
/** Alternatives in the form that getstream accepts. */
const ALTERNATIVES = new RegExp(`^(?:(?:id:|infohash:)?${HEX}(?:,|$))+$`, 'i');
/** Longer lines are not links. */
const MAX_LINK = 4096;

/** The path on this proxy for `link`, starting with a slash; null if it is not an AceStream link. */
export function proxyPathOf(link: string): string | null {
  if (link.length > MAX_LINK) return null;
  const plain = ID_LINK.exec(link) ?? BARE_ID.exec(link);
  if (plain) return pathTo('getstream', 'id', plain[1]);
  const inPath = PATH_LINK.exec(link);
  if (inPath) return pathTo('getstream', inPath[1].toLowerCase() === 'infohash' ? 'infohash' : 'id', inPath[2]);
  return QUERY_LINK.test(link) ? pathOfQuery(link) : null;
}

function pathOfQuery(link: string): string | null {
  const from = link.indexOf('?');
  if (from < 0) return null;
  const query = new URLSearchParams(link.slice(from + 1).split('#', 1)[0]);
  let kind = 'getstream';
  if (/^https?:/i.test(link)) {
    const path = URL.canParse(link) ? new URL(link).pathname : '';
    if (!PLAYBACK_PATH.test(path)) return null;
    if (path.includes('manifest')) kind = 'manifest.m3u8';
  }
  const id = query.get('id') ?? query.get('content_id');
  const infohash = query.get('infohash') ?? MAGNET_HASH.exec(query.get('xt') ?? '')?.[1];
  const kept = new URLSearchParams([...query].filter(([name, value]) => KEPT.test(name) && (name !== 'alt' || ALTERNATIVES.test(value))));
  if (id !== null && BARE_ID.test(id)) return pathTo(kind, 'id', id, kept);
  if (infohash !== undefined && BARE_ID.test(infohash)) return pathTo(kind, 'infohash', infohash, kept);
  return null;
}

function pathTo(kind: string, name: string, value: string, kept = new URLSearchParams()): string {
  const rest = kept.toString();
  return `/ace/${kind}?${name}=${value.toLowerCase()}${rest === '' ? '' : `&${rest}`}`;
}

/**
 * Rewrites the links of a playlist. Works on bytes, so the character set does not matter.
 * @param base scheme, host and path before `/ace`, without a trailing slash
 * @param parameter query parameter added to each link
 */
export function rewritePlaylist(playlist: Buffer, base: string, parameter = ''): Buffer {
  const text = playlist.toString('latin1');
  const rewritten = text.replace(/[^\r\n]+/g, (line) => {
    if (line.startsWith('#')) return line;
    const link = line.trim();
    const path = link === '' ? null : proxyPathOf(link);
    return path === null ? line : line.replace(link, () => base + path + (parameter === '' ? '' : `&${parameter}`));
  });
  return Buffer.from(rewritten, 'latin1');
}

/** True if the bytes start like an M3U playlist. */
export function isPlaylist(bytes: Buffer): boolean {
  return /^(\xef\xbb\xbf)?\s*#EXTM3U/.test(bytes.toString('latin1', 0, 64));
}
