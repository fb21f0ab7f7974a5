/** The timelines of contents. Contents of the same bitrate share one loop, which is made for the first of them. */
import type { FaultInjector, FaultTarget } from '../faults/fault-injector.js';
import { InputError } from '../input-error.js';
import { type Clip, loadClip, readClip } from './clip.js';
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

/** A loop that replaces the shipped picture at one rate. */
export interface CustomLoop {
  /** Bits per second. */
  rate: number;
  loop: LoopTemplate;
}

const limited = (bitrate: number): number => Math.min(MAX_BITRATE, Math.max(MIN_BITRATE, bitrate));
const loopOf = (clip: Clip, rate: number): LoopTemplate => multiplex(loopOfPesPackets(clip), packetsPerLoop(rate));

/** The loop at `bitrate` bits per second of the clip in `file`. @throws InputError */
export function customLoop(file: string, bitrate: number): CustomLoop {
  const rate = limited(bitrate);
  try {
    return { rate, loop: loopOf(readClip(file), rate) };
  } catch (error) {
    throw new InputError(`SIM_CLIP is ${file}: ${(error as Error).message}`);
  }
}

export class LoopCache {
  private readonly loops = new Map<string, LoopTemplate>();

  constructor(private readonly custom: CustomLoop | null = null) {}

  /** The loop at `bitrate` bits per second, which is limited to MIN_BITRATE and MAX_BITRATE; `scale` has markers and nulls only. */
  loop(bitrate: number, kind: PictureKind): LoopTemplate {
    const rate = limited(bitrate);
    if (kind === 'picture' && rate === this.custom?.rate) return this.custom.loop;
    const key = `${kind}:${rate}`;
    let loop = this.loops.get(key);
    if (!loop) {
      loop =
        kind === 'scale'
          ? multiplex(null, packetsPerLoop(rate))
          : loopOf(loadClip(rate >= LARGE_PICTURE_FROM ? 'picture' : 'picture-low'), rate);
    } else {
      this.loops.delete(key);
    }
    this.loops.set(key, loop);
    if (this.loops.size > MAX_LOOPS) this.loops.delete(this.loops.keys().next().value!);
    return loop;
  }
}

export class Broadcasts {
  private readonly loops: LoopCache;

  /** @throws InputError if the clip of the settings cannot be played */
  constructor(
    private readonly faults: FaultInjector,
    private readonly now: () => number,
  ) {
    const { clip, bitrate } = faults.engineSettings;
    this.loops = new LoopCache(clip === null ? null : customLoop(clip, bitrate));
  }

  timelineOf(content: FaultTarget): Timeline {
    const { bitrate, picture } = this.faults.settingsOf(content);
    return new Timeline(this.loops.loop(bitrate, picture), content.infohash, this.faults.engineSettings.marker);
  }

  /** Unix ms of the newest media that this engine has: `skewMs` behind the broadcaster. */
  edgeTime(): number {
    return this.now() - this.faults.engineSettings.skewMs;
  }
}
