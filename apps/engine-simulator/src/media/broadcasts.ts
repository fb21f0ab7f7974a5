/** Loops by rate, made when first asked for and shared by all contents of that rate. */
import { type ClipName, loadClip } from './clip.js';
import { type LoopTemplate, multiplex, packetsPerLoop } from './multiplexer.js';
import { loopOfPesPackets } from './pes.js';

/** From this rate on the large picture (about 0.9 Mb/s with sound) leaves room for its peaks. Bits per second. */
const LARGE_PICTURE_FROM = 1_500_000;
const MIN_BITRATE = 480_000;
const MAX_BITRATE = 40_000_000;
/** A loop of 3.5 Mb/s takes 8.4 MB. */
const MAX_LOOPS = 6;

export type PictureKind = 'picture' | 'scale';

export class LoopLibrary {
  private readonly loops = new Map<string, LoopTemplate>();

  /** The loop at `bitrate` bits per second (kept between MIN_BITRATE and MAX_BITRATE); `scale` has markers and nulls only. */
  loop(bitrate: number, kind: PictureKind): LoopTemplate {
    const rate = Math.min(MAX_BITRATE, Math.max(MIN_BITRATE, bitrate));
    const key = `${kind}:${rate}`;
    let loop = this.loops.get(key);
    if (!loop) {
      const clip: ClipName = rate >= LARGE_PICTURE_FROM ? 'picture' : 'picture-low';
      loop = multiplex(kind === 'scale' ? null : loopOfPesPackets(loadClip(clip)), packetsPerLoop(rate));
    } else {
      this.loops.delete(key);
    }
    this.loops.set(key, loop);
    if (this.loops.size > MAX_LOOPS) this.loops.delete(this.loops.keys().next().value!);
    return loop;
  }
}
