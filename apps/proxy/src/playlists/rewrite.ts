/** Rewrites the AceStream links of a list of channels to this proxy. Every other byte stays as it is. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { contentOfLink } from '../http/content-link.js';

/** Longer lines are not links. */
const MAX_LINK = 4096;
/** Bytes that are rewritten before other work gets its turn: 3 ms of processor time, 30 ms with links that are made to be slow. */
const SLICE_BYTES = 64 * 1024;
const LINE = /[^\r\n]+/g;
const NOT_ASCII = /[\x80-\xff]/;
const PIPE_SCHEME = 'pipe://';
/** A word of a command, without the quotes around it. */
const WORD = /[^\s"']+/g;

/** How the links of a list become links to this proxy. */
export interface ProxyLinks {
  /** Scheme, host and path before `/ace`, without a trailing slash. */
  readonly base: string;
  /** Query parameter added to each link; may be empty. */
  readonly parameter: string;
}

/**
 * The link to this proxy for `link`; null if it is not an AceStream link. Options for Kodi, after `|`, are kept.
 * @param link one character for each byte
 */
export function proxyLinkOf(link: string, { base, parameter }: ProxyLinks): string | null {
  if (link.length > MAX_LINK) return null;
  const bar = link.indexOf('|');
  const named = bar < 0 ? null : contentOfLink(decoded(link.slice(0, bar)));
  const content = named ?? contentOfLink(decoded(link));
  if (content === null) return null;
  const options = named === null ? '' : link.slice(bar);
  return `${base}/ace/${content.endpoint}?${content.query}${parameter === '' ? '' : `&${parameter}`}${options}`;
}

/** Rewrites the links of a list in slices, so that streams and other requests are not delayed. */
export async function rewritePlaylist(playlist: Buffer, links: ProxyLinks): Promise<Buffer> {
  const parts: Buffer[] = [];
  /** The slice begins inside a line that is too long for a link. */
  let insideLine = false;
  for (let from = 0; from < playlist.length;) {
    const slice = playlist.subarray(from, from + SLICE_BYTES);
    const isLast = from + slice.length === playlist.length;
    const end = isLast ? slice.length : endOfLastLine(slice);
    const start = insideLine || end === 0 ? endOfFirstLine(slice) : 0;
    parts.push(slice.subarray(0, start));
    if (start < end) parts.push(rewriteLines(slice.subarray(start, end), links));
    insideLine = end === 0;
    from += Math.max(start, end);
    await nextTurn();
  }
  return Buffer.concat(parts);
}

/** Works on bytes, one character for each, so that the character set does not matter. */
function rewriteLines(bytes: Buffer, links: ProxyLinks): Buffer {
  const rewritten = bytes.toString('latin1').replace(LINE, (line) => (line.startsWith('#') ? line : rewriteLine(line, links)));
  return Buffer.from(rewritten, 'latin1');
}

function rewriteLine(line: string, links: ProxyLinks): string {
  const link = line.trim();
  if (link === '') return line;
  const isCommand = link.slice(0, PIPE_SCHEME.length).toLowerCase() === PIPE_SCHEME;
  const rewritten = isCommand ? rewriteCommand(link, links) : proxyLinkOf(link, links);
  return rewritten === null ? line : line.replace(link, () => rewritten);
}

/** A program that the player runs: its arguments contain links. */
function rewriteCommand(command: string, links: ProxyLinks): string {
  return command.replace(WORD, (word) => (word.includes(':') ? (proxyLinkOf(word, links) ?? word) : word));
}

function decoded(bytes: string): string {
  return NOT_ASCII.test(bytes) ? Buffer.from(bytes, 'latin1').toString() : bytes;
}

/** Bytes up to the end of the first line; all if no line ends. */
function endOfFirstLine(bytes: Buffer): number {
  const ends = [bytes.indexOf('\n'), bytes.indexOf('\r')].filter((at) => at >= 0);
  return ends.length === 0 ? bytes.length : Math.min(...ends) + 1;
}

/** Bytes up to the end of the last line that ends; 0 if none does. */
function endOfLastLine(bytes: Buffer): number {
  return Math.max(bytes.lastIndexOf('\n'), bytes.lastIndexOf('\r')) + 1;
}
