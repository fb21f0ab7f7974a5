/** Parser of an engine's HLS playlists (RFC 8216). URLs are returned unresolved. */

export interface SegmentKey {
  readonly url: string;
  /** 16 bytes; null: the sequence number of the segment is the IV (5.2). */
  readonly iv: Buffer | null;
}

export interface EngineSegment {
  readonly sequence: number;
  readonly seconds: number;
  readonly url: string;
  /** null: not encrypted. */
  readonly key: SegmentKey | null;
}

export type EnginePlaylist =
  | { readonly kind: 'master'; /** Of the variant with the highest bandwidth. */ readonly url: string }
  | { readonly kind: 'media'; readonly target: number; readonly ended: boolean; readonly segments: readonly EngineSegment[] };

const ATTRIBUTE = /([A-Z0-9-]+)=("[^"]*"|[^",]*)/g;

/** @throws TypeError that says what is wrong */
export function parseEnginePlaylist(text: string): EnginePlaylist {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  if (lines[0]?.replace(/^\uFEFF/, '') !== '#EXTM3U') throw new TypeError('not a playlist');
  return lines.some((line) => line.startsWith('#EXT-X-STREAM-INF:')) ? parseMaster(lines) : parseMedia(lines);
}

function parseMaster(lines: readonly string[]): EnginePlaylist {
  let best: { url: string; bandwidth: number } | null = null;
  let bandwidth: number | null = null;
  for (const line of lines) {
    if (line.startsWith('#EXT-X-STREAM-INF:')) bandwidth = Number(attributes(line).get('BANDWIDTH') ?? 0);
    else if (line !== '' && !line.startsWith('#') && bandwidth !== null) {
      if (best === null || bandwidth > best.bandwidth) best = { url: line, bandwidth };
      bandwidth = null;
    }
  }
  if (best === null) throw new TypeError('master playlist without a variant');
  return { kind: 'master', url: best.url };
}

function parseMedia(lines: readonly string[]): EnginePlaylist {
  let target = NaN;
  let sequence = 0;
  let seconds: number | null = null;
  let key: SegmentKey | null = null;
  let ended = false;
  const segments: EngineSegment[] = [];
  for (const line of lines) {
    if (line.startsWith('#EXT-X-TARGETDURATION:')) target = Number(valueOf(line));
    else if (line.startsWith('#EXT-X-MEDIA-SEQUENCE:')) sequence = Number(valueOf(line));
    else if (line.startsWith('#EXTINF:')) seconds = Number.parseFloat(valueOf(line));
    else if (line.startsWith('#EXT-X-KEY:')) key = parseKey(line);
    else if (line.startsWith('#EXT-X-ENDLIST')) ended = true;
    else if (line.startsWith('#EXT-X-MAP:')) throw new TypeError('segments are not MPEG-TS (EXT-X-MAP)');
    else if (line.startsWith('#EXT-X-BYTERANGE:')) throw new TypeError('byte ranges are not supported (EXT-X-BYTERANGE)');
    else if (line !== '' && !line.startsWith('#')) {
      segments.push({ sequence: sequence + segments.length, seconds: seconds !== null && seconds > 0 ? seconds : target, url: line, key });
      seconds = null;
    }
  }
  if (!(target > 0)) throw new TypeError('playlist without a target duration');
  return { kind: 'media', target, ended, segments };
}

function parseKey(line: string): SegmentKey | null {
  const given = attributes(line);
  const method = given.get('METHOD');
  if (method === 'NONE') return null;
  const url = given.get('URI');
  if (method !== 'AES-128' || url === undefined) throw new TypeError(`encryption ${method ?? 'without a method'} is not supported`);
  const iv = given.get('IV');
  return { url, iv: iv === undefined ? null : Buffer.from(iv.slice(2).padStart(32, '0'), 'hex') };
}

function valueOf(line: string): string {
  return line.slice(line.indexOf(':') + 1);
}

function attributes(line: string): Map<string, string> {
  return new Map([...valueOf(line).matchAll(ATTRIBUTE)].map(([, name, value]) => [name, value.replace(/^"|"$/g, '')]));
}
