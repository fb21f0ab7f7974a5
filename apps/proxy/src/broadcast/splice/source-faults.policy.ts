/**
 * Detects faults of a source that still delivers, before viewers notice: an exact switch to another source costs nothing, so it is made early. Still
 * or black pictures are no fault; content is never judged. The sessions decide how long a source may be silent.
 */
import type { BroadcastSnapshot } from '../broadcast-snapshot.js';

/**
 * 'frozen': bytes arrive, but the PCR does not advance. 'starving': slower than real time. 'looping': repeats what it has sent. 'corrupt': packets are
 * missing or damaged. A jump of the PCR is no fault.
 */
export type SourceFault = 'frozen' | 'starving' | 'looping' | 'corrupt';

/** The part of the broadcast's snapshot that is judged, about every half second. */
export type SourceReading = { readonly now: number } & Pick<
  BroadcastSnapshot,
  | 'lastByteAt'
  | 'bitrate'
  | 'mediaMs'
  | 'pcrAdvancedAt'
  | 'bytesSincePcrAdvance'
  | 'repeats'
  | 'losses'
  | 'counterBreaks'
  | 'bytesWithoutLock'
>;

const FROZEN_MS = 2_000;
/** Bytes of a second at 1 Mb/s, used while the bitrate is unknown. */
const DEFAULT_SECOND = 125_000;

/** The lead over real time may fall this far below its maximum of the last minutes. */
const MAX_LEAD_LOST_MS = 10_000;
/** The lead is judged only while bytes flow, but not faster than real time, because a late piece may make up for everything that is missing. */
const FLOWING_MS = 1000;
const MIN_RATE = 0.9;
const RATE_OVER_MS = 60_000;
const SAMPLE_MS = 5_000;
const SAMPLES_KEPT = 60;

/** One second: in good streams none of 11,200 PCR packets was repeated, still pictures and black included. */
const MAX_REPEATS = 30;
/** More bytes in a row without packets are no transport stream. */
export const MAX_BYTES_WITHOUT_LOCK = 64 * 1024;
const MAX_LOSSES = 3;
const LOSSES_OVER_MS = 10_000;

interface Sample {
  readonly at: number;
  readonly mediaMs: number;
  lead: number;
}

/** Judges one source; a new source needs a new detector. */
export class SourceFaultDetector {
  readonly #startedAt: number;
  readonly #startMediaMs: number;
  readonly #samples: Sample[] = [];
  readonly #lossTimes: number[] = [];
  #previous: SourceReading;
  #losses: number;

  constructor(first: SourceReading) {
    this.#startedAt = first.now;
    this.#startMediaMs = first.mediaMs;
    this.#previous = first;
    this.#losses = lossesIn(first);
  }

  /** The most severe fault at present, or null. Readings must come in order. */
  judge(reading: SourceReading): SourceFault | null {
    const previous = this.#previous;
    this.#previous = reading;
    this.#remember(reading);
    if (reading.repeats >= MAX_REPEATS) return 'looping';
    if (this.#isCorrupt(reading)) return 'corrupt';
    if (isFrozen(reading)) return 'frozen';
    return this.#isStarving(previous, reading) ? 'starving' : null;
  }

  #isCorrupt({ bytesWithoutLock }: SourceReading): boolean {
    return bytesWithoutLock > MAX_BYTES_WITHOUT_LOCK || this.#lossTimes.length > MAX_LOSSES;
  }

  #isStarving(previous: SourceReading, reading: SourceReading): boolean {
    const isCatchingUp = reading.mediaMs - previous.mediaMs > reading.now - previous.now;
    if (isCatchingUp || !isFlowing(previous) || !isFlowing(reading)) return false;
    const best = this.#samples.reduce((most, { lead }) => Math.max(most, lead), -Infinity);
    if (best - this.#leadOf(reading) > MAX_LEAD_LOST_MS) return true;
    const past = this.#samples.findLast(({ at }) => reading.now - at >= RATE_OVER_MS);
    return past !== undefined && reading.mediaMs - past.mediaMs < MIN_RATE * (reading.now - past.at);
  }

  /** How far the media is ahead of real time (ms); only its changes are meaningful. */
  #leadOf({ now, mediaMs }: SourceReading): number {
    return mediaMs - this.#startMediaMs - (now - this.#startedAt);
  }

  #remember(reading: SourceReading): void {
    const { now, mediaMs } = reading;
    const losses = lossesIn(reading);
    const lead = this.#leadOf(reading);
    const newest = this.#samples.at(-1);
    if (newest === undefined || now - newest.at >= SAMPLE_MS) {
      this.#samples.push({ at: now, mediaMs, lead });
      if (this.#samples.length > SAMPLES_KEPT) this.#samples.shift();
    } else {
      newest.lead = Math.max(newest.lead, lead);
    }
    const added = Math.min(MAX_LOSSES + 1, losses - this.#losses);
    for (let count = 0; count < added; count += 1) this.#lossTimes.push(now);
    while (this.#lossTimes.length > 0 && now - this.#lossTimes[0] > LOSSES_OVER_MS) this.#lossTimes.shift();
    this.#losses = losses;
  }
}

function isFrozen({ now, pcrAdvancedAt, bytesSincePcrAdvance, bitrate }: SourceReading): boolean {
  if (pcrAdvancedAt === null) return false;
  const second = bitrate === null ? DEFAULT_SECOND : bitrate / 8;
  return now - pcrAdvancedAt >= FROZEN_MS && bytesSincePcrAdvance >= second;
}

function isFlowing({ now, lastByteAt }: SourceReading): boolean {
  return lastByteAt !== null && now - lastByteAt <= FLOWING_MS;
}

function lossesIn({ losses, counterBreaks }: SourceReading): number {
  return losses + counterBreaks;
}
