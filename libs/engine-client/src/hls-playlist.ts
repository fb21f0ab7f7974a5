/**
 * Parser of an engine's HLS playlists (RFC 8216). URLs are returned unresolved. Its time is linear in the length of the text: an engine is another
 * program, and a parser that is slow on one long line would stop every stream of the process.
 */
import { snippet } from '@acexy/service-kit/primitives';

export interface SegmentKey {
  readonly url: string;
  /** 16 bytes; null: the sequence number of the segment is the IV (5.2). */
  readonly iv: Buffer | null;
}

export interface EngineSegment {
  /** A safe integer. */
  readonly sequence: number;
  /** Above 0, at most {@link MAX_SECONDS}. */
  readonly seconds: number;
  readonly url: string;
  /** null: not encrypted. */
  readonly key: SegmentKey | null;
}

export type EnginePlaylist =
  | { readonly kind: 'master'; /** Of the variant with the highest bandwidth. */ readonly url: string }
  | {
      readonly kind: 'media';
      /** Seconds: above 0, at most {@link MAX_SECONDS}. */
      readonly target: number;
      readonly ended: boolean;
      readonly segments: readonly EngineSegment[];
    };

/** Longest duration of a segment, in seconds. Engines send 4 to 7; what claims to be longer is taken as this. */
export const MAX_SECONDS = 60;
/** In characters. Engines send URLs of about 100. */
export const MAX_LINE = 8192;
/** More than a day of segments of 5 s. A live playlist of an engine has about 15. */
export const MAX_SEGMENTS = 20_000;
/** Digits of a decimal integer that is surely safe. */
const MAX_DIGITS = 15;

/** @throws TypeError that says what is wrong */
export function parseEnginePlaylist(text: string): EnginePlaylist {
  const lines = linesOf(text);
  if (lines[0] !== '#EXTM3U') throw new TypeError('not a playlist');
  return lines.some((line) => line.startsWith('#EXT-X-STREAM-INF:')) ? parseMaster(lines) : parseMedia(lines);
}

/** The lines without white space around them, and without empty lines after the first. */
function linesOf(text: string): string[] {
  const lines: string[] = [];
  for (let at = 0; at < text.length;) {
    const end = indexOrEnd(text, '\n', at);
    if (end - at > MAX_LINE) throw new TypeError(`a line of ${end - at} characters: at most ${MAX_LINE} are read`);
    const line = text.slice(at, end).trim(); // also removes a byte order mark
    if (line !== '' || lines.length === 0) lines.push(line);
    at = end + 1;
  }
  return lines;
}

function parseMaster(lines: readonly string[]): EnginePlaylist {
  let best: { url: string; bandwidth: number } | null = null;
  let bandwidth: number | null = null;
  for (const line of lines) {
    if (line.startsWith('#EXT-X-STREAM-INF:')) bandwidth = toCount(attributes(line).get('BANDWIDTH') ?? '') ?? 0;
    else if (!line.startsWith('#') && bandwidth !== null) {
      if (best === null || bandwidth > best.bandwidth) best = { url: line, bandwidth };
      bandwidth = null;
    }
  }
  if (best === null) throw new TypeError('master playlist without a variant');
  return { kind: 'master', url: best.url };
}

function parseMedia(lines: readonly string[]): EnginePlaylist {
  let target: number | null = null;
  let sequence = 0;
  let seconds: number | null = null;
  let key: SegmentKey | null = null;
  let ended = false;
  const segments: EngineSegment[] = [];
  for (const line of lines) {
    if (line.startsWith('#EXT-X-TARGETDURATION:')) target = toSeconds(valueOf(line));
    else if (line.startsWith('#EXT-X-MEDIA-SEQUENCE:')) sequence = parseSequence(valueOf(line));
    else if (line.startsWith('#EXTINF:')) seconds = toSeconds(valueOf(line));
    else if (line.startsWith('#EXT-X-KEY:')) key = parseKey(line);
    else if (line.startsWith('#EXT-X-ENDLIST')) ended = true;
    else if (line.startsWith('#EXT-X-MAP:')) throw new TypeError('segments are not MPEG-TS (EXT-X-MAP)');
    else if (line.startsWith('#EXT-X-BYTERANGE:')) throw new TypeError('byte ranges are not supported (EXT-X-BYTERANGE)');
    else if (!line.startsWith('#')) {
      if (segments.length === MAX_SEGMENTS) throw new TypeError(`more than ${MAX_SEGMENTS} segments`);
      segments.push({ sequence: sequence + segments.length, seconds: seconds ?? target ?? MAX_SECONDS, url: line, key });
      seconds = null;
    }
  }
  if (target === null) throw new TypeError('playlist without a target duration above 0');
  return { kind: 'media', target, ended, segments };
}

function parseKey(line: string): SegmentKey | null {
  const given = attributes(line);
  const method = given.get('METHOD');
  if (method === 'NONE') return null;
  const url = given.get('URI');
  if (method !== 'AES-128' || url === undefined)
    throw new TypeError(`encryption ${snippet(method ?? 'without a method')} is not supported`);
  const iv = given.get('IV');
  return { url, iv: iv === undefined ? null : parseIv(iv) };
}

function parseIv(text: string): Buffer {
  const digits = /^0x([0-9a-f]{1,32})$/i.exec(text)?.[1];
  if (digits === undefined) throw new TypeError('IV of a key is not 0x and up to 32 hexadecimal digits');
  return Buffer.from(digits.padStart(32, '0'), 'hex');
}

function parseSequence(text: string): number {
  const sequence = toCount(text);
  if (sequence === null) throw new TypeError('EXT-X-MEDIA-SEQUENCE is not a number');
  return sequence;
}

/** A duration; null when it is not above 0. */
function toSeconds(text: string): number | null {
  const seconds = Number.parseFloat(text);
  return seconds > 0 ? Math.min(seconds, MAX_SECONDS) : null;
}

/** A decimal integer; null for everything else. */
function toCount(text: string): number | null {
  const digits = text.trim();
  return digits.length <= MAX_DIGITS && /^\d+$/.test(digits) ? Number(digits) : null;
}

function valueOf(line: string): string {
  return line.slice(line.indexOf(':') + 1);
}

/** The attribute list of a line (4.2): `NAME=value` or `NAME="value"`, separated by commas. */
function attributes(line: string): Map<string, string> {
  const found = new Map<string, string>();
  for (let at = line.indexOf(':') + 1; at < line.length;) {
    const equals = line.indexOf('=', at);
    if (equals < 0) break;
    const quoted = line[equals + 1] === '"';
    const from = quoted ? equals + 2 : equals + 1;
    const to = indexOrEnd(line, quoted ? '"' : ',', from);
    const name = line.slice(at, equals);
    found.set(name.slice(name.lastIndexOf(',') + 1).trim(), line.slice(from, to).trim());
    at = indexOrEnd(line, ',', to) + 1;
  }
  return found;
}

/** Where `mark` comes next; the end of the text when it does not. */
function indexOrEnd(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  return found < 0 ? text.length : found;
}
