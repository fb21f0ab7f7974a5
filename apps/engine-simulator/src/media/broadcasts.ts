/** The timelines of contents. Contents of the same bitrate share one loop, which is made for the first of them. */
import { readFileSync } from 'node:fs';
import type { FaultInjector, FaultTarget } from '../faults/fault-injector.js';
import { InputError } from '../input-error.js';
import { type ClipName, loadClip } from './clip.js';
import { decodeLoop } from './loop-file.js';
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

const limited = (bitrate: number): number => Math.min(MAX_BITRATE, Math.max(MIN_BITRATE, bitrate));

/** The loop in `file`, for streams at `bitrate` bits per second. @throws InputError */
export function loadLoop(file: string, bitrate: number): LoopTemplate {
  try {
    const loop = decodeLoop(readFileSync(file));
    const packets = packetsPerLoop(limited(bitrate));
    if (loop.packets !== packets) throw new InputError(`it has ${loop.packets} packets, but SIM_BITRATE ${bitrate} needs ${packets}`);
    return loop;
  } catch (error) {
    throw new InputError(`SIM_LOOP_FILE is ${file}: ${(error as Error).message}`);
  }
}

export class LoopCache {
  private readonly loops = new Map<string, LoopTemplate>();

  /** @param custom replaces the shipped picture at its own bitrate */
  constructor(private readonly custom: LoopTemplate | null = null) {}

  /** The loop at `bitrate` bits per second, which is limited to MIN_BITRATE and MAX_BITRATE; `scale` has markers and nulls only. */
  loop(bitrate: number, kind: PictureKind): LoopTemplate {
    const rate = limited(bitrate);
    const packets = packetsPerLoop(rate);
    if (kind === 'picture' && packets === this.custom?.packets) return this.custom;
    const key = `${kind}:${rate}`;
    let loop = this.loops.get(key);
    if (!loop) {
      const clip: ClipName = rate >= LARGE_PICTURE_FROM ? 'picture' : 'picture-low';
      loop = multiplex(kind === 'scale' ? null : loopOfPesPackets(loadClip(clip)), packets);
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

  /** @throws InputError if the loop file of the settings cannot be played */
  constructor(
    private readonly faults: FaultInjector,
    private readonly now: () => number,
  ) {
    const { loopFile, bitrate } = faults.engineSettings;
    this.loops = new LoopCache(loopFile === null ? null : loadLoop(loopFile, bitrate));
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
