/** A multiplexed loop as a file. An engine loads it in milliseconds, while multiplexing a clip takes longer than the start of Node. */
import { PACKET_SIZE } from '@acexy/mpegts';
import { InputError } from '../input-error.js';
import type { LoopTemplate } from './multiplexer.js';

type Header = Omit<LoopTemplate, 'bytes' | 'patches'>;

/** One line of JSON, the patches, the packets. */
export function encodeLoop({ bytes, patches, ...header }: LoopTemplate): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), patches, bytes]);
}

/** @throws InputError */
export function decodeLoop(file: Buffer): LoopTemplate {
  const patchesAt = file.indexOf('\n') + 1;
  const header = headerOf(file.toString('utf8', 0, patchesAt));
  const bytesAt = patchesAt + header.packets;
  const size = bytesAt + header.packets * PACKET_SIZE;
  if (file.length !== size) throw new InputError(`it has ${file.length} bytes instead of ${size}`);
  return { ...header, patches: file.subarray(patchesAt, bytesAt), bytes: file.subarray(bytesAt) };
}

function headerOf(line: string): Header {
  try {
    const header = JSON.parse(line) as Header;
    if (header.packets > 0) return header;
  } catch {
    // The error below says what is expected.
  }
  throw new InputError('it does not begin with the JSON line of a loop');
}
