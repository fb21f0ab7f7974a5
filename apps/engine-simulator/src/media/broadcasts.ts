/** The timelines of contents. Contents of the same bitrate share one loop, which is made for the first of them. */
import type { FaultInjector, FaultTarget } from '../faults/fault-injector.js';
import { type ClipName, loadClip } from './clip.js';
import { type LoopTemplate, multiplex, packetsPerLoop } from './multiplexer.js';
import { loopOfPesPackets } from './pes.js';
import { Timeline } from './timeline.js';

/** From this bitrate on, the large picture (about 0.9 Mb/s with audio) leaves room for its peaks. Bits per second. */
const LARGE_PICTURE_FROM = 1_500_000;
const MIN_BITRATE = 480_000;
const MAX_BITRATE = 40_000_000;
/** A loop of 3.5 Mb/s takes 8.4 MB. */
const MAX_LOOPS = 6;

export type PictureKind = 'picture' | 'scale';

export class LoopCache {
  private readonly loops = new Map<string, LoopTemplate>();

  /** The loop at `bitrate` bits per second, which is limited to MIN_BITRATE and MAX_BITRATE; `scale` has markers and nulls only. */
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

export class Broadcasts {
  private readonly loops = new LoopCache();

  constructor(
    private readonly faults: FaultInjector,
    private readonly now: () => number,
  ) {}

  timelineOf(content: FaultTarget): Timeline {
    const { bitrate, picture } = this.faults.settingsOf(content);
    return new Timeline(this.loops.loop(bitrate, picture), content.infohash, this.faults.engineSettings.marker);
  }

  /** Unix ms of the newest media that this engine has: `skewMs` behind the broadcaster. */
  edgeTime(): number {
    return this.now() - this.faults.engineSettings.skewMs;
  }
}
