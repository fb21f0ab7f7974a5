/**
 * Whether a source that delivers is still good, judged before viewers notice: a change to another source of the same bytes costs them nothing, so it is
 * made early. Still or black pictures are no fault; content is never judged. How long it may be silent is for the sessions to say.
 */

/**
 * 'frozen': bytes, but the clock stands. 'starving': less than real time. 'looping': what was sent comes again. 'corrupt': packets
 * are missing or damaged. 'clock-leap': the source's clock has jumped.
 */
export type SourceFault = 'frozen' | 'starving' | 'looping' | 'corrupt' | 'clock-leap';

/** 'none': it is well. 'switch': another source should carry the stream on. */
export type SourceAdvice = 'none' | 'switch';

export interface SourceJudgement {
  readonly advice: SourceAdvice;
  /** Why; null where nothing is wrong. */
  readonly fault: SourceFault | null;
}

/** What is looked at, every half second or so: part of the broadcast's snapshot, since the source began. */
export interface SourceReading {
  /** Milliseconds of the clock that `lastByteAt` and `clockAt` were taken from. */
  readonly now: number;
  readonly lastByteAt: number | null;
  /** Bits per second; null while unknown. */
  readonly bitrate: number | null;
  /** Milliseconds of media taken in. */
  readonly mediaMs: number;
  /** When the PCR last moved on, and the bytes since; null before the first PCR. */
  readonly clockAt: number | null;
  readonly bytesSinceClock: number;
  /** Clock references in a row that had been sent before. */
  readonly repeats: number;
  /** Leaps of the PCR so far. */
  readonly clockLeaps: number;
  /** Lost packets so far: breaks of alignment and of continuity. */
  readonly losses: number;
  /** Bytes since packets were last found where they should be. */
  readonly bytesWithoutLock: number;
}

const FROZEN_MS = 2_000;
/** Where the rate is not known: bytes of a second at 1 Mb/s. */
const USUAL_SECOND = 125_000;

/** How far the lead over real time may fall below its best of the last minutes. */
const MAX_LEAD_LOST_MS = 10_000;
/** Its lead is looked at while bytes come: a piece that is late may yet make up for all that is missing. */
const FLOWING_MS = 1000;
const MIN_RATE = 0.9;
const RATE_OVER_MS = 60_000;
const SAMPLE_MS = 5_000;
const SAMPLES_KEPT = 60;

/** A second of them: none of 11,200 clock packets came twice in good streams, still pictures and black included. */
const MAX_REPEATS = 30;
const MAX_BYTES_WITHOUT_LOCK = 64 * 1024;
const MAX_LOSSES = 3;
const LOSSES_OVER_MS = 10_000;

interface Sample {
  readonly at: number;
  readonly mediaMs: number;
  lead: number;
}

/** Remembers one source; a new source gets a new watch. */
export class SourceWatch {
  readonly #startedAt: number;
  readonly #startMediaMs: number;
  readonly #samples: Sample[] = [];
  readonly #lossTimes: number[] = [];
  #losses: number;
  #clockLeaps: number;

  constructor(first: SourceReading) {
    this.#startedAt = first.now;
    this.#startMediaMs = first.mediaMs;
    this.#losses = first.losses;
    this.#clockLeaps = first.clockLeaps;
  }

  /** The worst that is wrong at present. Readings must come in order. */
  judge(reading: SourceReading): SourceJudgement {
    const leapt = reading.clockLeaps > this.#clockLeaps;
    this.#remember(reading);
    const switchFor = (fault: SourceFault): SourceJudgement => ({ advice: 'switch', fault });
    if (reading.repeats >= MAX_REPEATS) return switchFor('looping');
    if (this.#isCorrupt(reading)) return switchFor('corrupt');
    if (isFrozen(reading)) return switchFor('frozen');
    if (this.#isStarving(reading)) return switchFor('starving');
    if (leapt) return { advice: 'none', fault: 'clock-leap' };
    return { advice: 'none', fault: null };
  }

  #isCorrupt({ bytesWithoutLock }: SourceReading): boolean {
    return bytesWithoutLock > MAX_BYTES_WITHOUT_LOCK || this.#lossTimes.length > MAX_LOSSES;
  }

  #isStarving(reading: SourceReading): boolean {
    if (reading.lastByteAt === null || reading.now - reading.lastByteAt > FLOWING_MS) return false;
    const best = this.#samples.reduce((most, { lead }) => Math.max(most, lead), -Infinity);
    if (best - this.#leadOf(reading) > MAX_LEAD_LOST_MS) return true;
    const past = this.#samples.findLast(({ at }) => reading.now - at >= RATE_OVER_MS);
    return past !== undefined && reading.mediaMs - past.mediaMs < MIN_RATE * (reading.now - past.at);
  }

  /** How far the media is ahead of the time that has passed; only its changes mean something (ms). */
  #leadOf({ now, mediaMs }: SourceReading): number {
    return mediaMs - this.#startMediaMs - (now - this.#startedAt);
  }

  #remember(reading: SourceReading): void {
    const { now, losses, clockLeaps, mediaMs } = reading;
    const lead = this.#leadOf(reading);
    const newest = this.#samples.at(-1);
    if (newest === undefined || now - newest.at >= SAMPLE_MS) {
      this.#samples.push({ at: now, mediaMs, lead });
      if (this.#samples.length > SAMPLES_KEPT) this.#samples.shift();
    } else {
      newest.lead = Math.max(newest.lead, lead);
    }
    const fresh = Math.min(MAX_LOSSES + 1, losses - this.#losses);
    for (let count = 0; count < fresh; count += 1) this.#lossTimes.push(now);
    while (this.#lossTimes.length > 0 && now - this.#lossTimes[0] > LOSSES_OVER_MS) this.#lossTimes.shift();
    this.#losses = losses;
    this.#clockLeaps = clockLeaps;
  }
}

function isFrozen({ now, clockAt, bytesSinceClock, bitrate }: SourceReading): boolean {
  if (clockAt === null) return false;
  const second = bitrate === null ? USUAL_SECOND : bitrate / 8;
  return now - clockAt >= FROZEN_MS && bytesSinceClock >= second;
}
