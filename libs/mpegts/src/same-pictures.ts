/** Whether two pieces of stream show the same pictures at the same times, though their packets differ: another multiplex of one broadcast. */
import { NONE, PACKET_SIZE, WRAP_90K, decodingTimeOf, pesOffset, pidOf, wrapped } from '@acexy/mpegts';

/** Bytes from the head of a picture: behind the parameter sets they are coded picture. */
const SAMPLE = 64;
/** Pictures in common that are asked for; most of them must be alike. */
const MIN_PICTURES = 3;

export interface Piece {
  readonly start: number;
  readonly end: number;
  bytesFrom(position: number): Buffer;
}

/** Heads of the pictures on `pid` by their time plus `offset` (ticks of 90 kHz). */
export function pictureHeads(piece: Piece, pid: number, offset: number): Map<number, Buffer> {
  const heads = new Map<number, Buffer>();
  for (let position = piece.start; position < piece.end;) {
    const bytes = piece.bytesFrom(position);
    for (let at = 0; at < bytes.length; at += PACKET_SIZE) {
      if (pidOf(bytes, at) !== pid) continue;
      const dts = decodingTimeOf(bytes, at);
      if (dts === NONE) continue;
      const from = pesOffset(bytes, at);
      const payload = from + 9 + bytes[from + 8];
      heads.set(wrapped(dts + offset, WRAP_90K), Buffer.from(bytes.subarray(payload, Math.min(payload + SAMPLE, at + PACKET_SIZE))));
    }
    position += bytes.length;
  }
  return heads;
}

/** Whether the pictures of both that have a time in common are the same. False where there are too few to tell. */
export function showSamePictures(one: ReadonlyMap<number, Buffer>, other: ReadonlyMap<number, Buffer>): boolean {
  let common = 0;
  let alike = 0;
  for (const [time, head] of one) {
    const match = other.get(time);
    if (match === undefined) continue;
    common += 1;
    const length = Math.min(head.length, match.length);
    if (length > 0 && head.compare(match, 0, length, 0, length) === 0) alike += 1;
  }
  return common >= MIN_PICTURES && alike * 2 > common;
}
