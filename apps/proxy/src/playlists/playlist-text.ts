/** Turns a downloaded list of channels into text in which ASCII characters are one byte. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { CodedError, snippet } from '@acexy/service-kit/primitives';
import { contentOfLink } from '../http/content-link.js';

/** The bytes are no list of channels; the message says why, without a subject. */
export class PlaylistFormatError extends CodedError {
  readonly code = 'playlist_format';
}

/** Bytes of a list, compressed and unpacked. */
export const MAX_BYTES = 32 * 1024 * 1024;
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
/** A compressed file, and once more by the web server. */
const MAX_COMPRESSIONS = 2;
/** Bytes that are decoded before other work gets its turn. */
const SLICE_BYTES = 256 * 1024;
/** Bytes in which the first line is looked for. */
const START_BYTES = 4096;
const LINK = /^[a-z][a-z0-9+.-]{1,31}:\/\//i;

/** Unpacks gzip and converts UTF-16 to UTF-8. Other text stays as it is. @throws PlaylistFormatError */
export async function playlistText(downloaded: Buffer): Promise<Buffer> {
  const bytes = await unpacked(downloaded);
  const charset = utf16Of(bytes);
  const text = charset === null ? bytes : await toUtf8(bytes, charset);
  const [start] = text
    .subarray(0, START_BYTES)
    .toString()
    .trimStart()
    .split(/[\r\n]/, 1);
  if (!start.startsWith('#') && !LINK.test(start) && contentOfLink(start) === null)
    throw new PlaylistFormatError(
      `it starts with "${snippet(start, 40)}", but a list of channels starts with #EXTM3U, another line with #, or a link`,
    );
  return text;
}

async function unpacked(downloaded: Buffer): Promise<Buffer> {
  let bytes = downloaded;
  for (let left = MAX_COMPRESSIONS; left > 0 && bytes.subarray(0, 2).equals(GZIP_MAGIC); left -= 1) {
    try {
      bytes = await promisify(gunzip)(bytes, { maxOutputLength: MAX_BYTES });
    } catch (cause) {
      const why =
        cause instanceof RangeError ? `it is larger than ${MAX_BYTES} bytes` : `its gzip data is damaged: ${(cause as Error).message}`;
      throw new PlaylistFormatError(why, { cause });
    }
  }
  return bytes;
}

/** By the byte order mark, or by the zero bytes beside the first two ASCII characters. */
function utf16Of(bytes: Buffer): 'utf-16le' | 'utf-16be' | null {
  const [first, second, third, fourth] = bytes;
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0 && third !== 0 && fourth === 0)) return 'utf-16le';
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0 && third === 0 && fourth !== 0)) return 'utf-16be';
  return null;
}

async function toUtf8(bytes: Buffer, charset: string): Promise<Buffer> {
  const decoder = new TextDecoder(charset);
  const parts: Buffer[] = [];
  for (let from = 0; from < bytes.length; from += SLICE_BYTES) {
    const slice = bytes.subarray(from, from + SLICE_BYTES);
    parts.push(Buffer.from(decoder.decode(slice, { stream: true })));
    await nextTurn();
  }
  return Buffer.concat([...parts, Buffer.from(decoder.decode())]);
}
