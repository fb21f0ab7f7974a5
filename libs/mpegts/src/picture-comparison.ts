/** Tells whether two sections of stream show the same pictures at the same times in different packets: two multiplexes of one broadcast. */
import { NONE, PACKET_SIZE, pidOf } from './packet.js';
import { type PacketStore, forEachBlock } from './packet-store.js';
import { WRAP_90K, pesOffset, readDts, wrapped } from './timestamps.js';

/** Bytes compared per picture. Parameter sets are shorter, so coded picture data is among them. */
const SAMPLE = 64;
/** Minimum number of pictures in common; more than half of them must be equal. */
const MIN_PICTURES = 3;

/** The first bytes of each picture, by its DTS (ticks of 90 kHz). */
export type PictureSamples = ReadonlyMap<number, Buffer>;

/** Samples of the pictures on `pid`, with `offset` (ticks of 90 kHz) added to their times. */
export function samplePictures(store: PacketStore, pid: number, offset: number): PictureSamples {
  const samples = new Map<number, Buffer>();
  forEachBlock(store, store.startPosition, (bytes) => {
    for (let at = 0; at < bytes.length; at += PACKET_SIZE) {
      if (pidOf(bytes, at) !== pid) continue;
      const dts = readDts(bytes, at);
      if (dts === NONE) continue;
      const pes = pesOffset(bytes, at);
      const payload = pes + 9 + bytes[pes + 8];
      samples.set(wrapped(dts + offset, WRAP_90K), Buffer.from(bytes.subarray(payload, Math.min(payload + SAMPLE, at + PACKET_SIZE))));
    }
  });
  return samples;
}

/** Whether the pictures with the same time are the same. False if there are too few to tell. */
export function showSamePictures(one: PictureSamples, other: PictureSamples): boolean {
  let common = 0;
  let equal = 0;
  for (const [time, sample] of one) {
    const match = other.get(time);
    if (match === undefined) continue;
    common += 1;
    const length = Math.min(sample.length, match.length);
    if (length > 0 && sample.compare(match, 0, length, 0, length) === 0) equal += 1;
  }
  return common >= MIN_PICTURES && equal * 2 > common;
}
