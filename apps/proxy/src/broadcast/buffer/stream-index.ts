/** Reads every packet once as it comes in: the program, the clock, where units begin and where a viewer can join. */
import {
  AnchorMap,
  NONE,
  NULL_PID,
  PAT_PID,
  type Program,
  ProgramTracker,
  RandomAccessDetector,
  type RandomAccessKind,
  continuityCounter,
  decodingTimeOf,
  pesOffset,
  pidOf,
  readPcr,
} from '@acexy/mpegts';
import { MediaClock } from '../../../../../libs/mpegts/src/media-clock.js';

/** A place where a decoder can begin, and what it has to be told before. Positions count the bytes of all packets since the stream began. */
export interface AccessPoint {
  readonly position: number;
  readonly kind: RandomAccessKind;
  /** Milliseconds of media before it. */
  readonly mediaMs: number;
  /** The tables in force there. */
  readonly program: Program;
  /** Continuity counters of the last PAT and PMT packets before it. */
  readonly patCounter: number;
  readonly pmtCounter: number;
}

/** Units that a cut of the newest part of the stream may take back. */
const RECENT_UNITS = 16;

export class StreamIndex {
  readonly clock: MediaClock;
  /** By which the place that the stream has reached can be found in another source. */
  readonly anchors = new AnchorMap();
  readonly #tables = new ProgramTracker();
  #program: Program | null = null;
  #detector: RandomAccessDetector | null = null;
  #patCounter = NONE;
  #pmtCounter = NONE;
  #unitPosition = NONE;
  readonly #recentUnits = new Array<number>(RECENT_UNITS).fill(NONE);
  #unitCount = 0;
  #unitsWithoutEntry = 0;
  #clockPosition = 0;
  /** The unit whose head is being read; becomes an access point once its first slice says so. */
  #pending: Omit<AccessPoint, 'kind'> | null = null;

  constructor(
    now: () => number,
    private readonly onAccessPoint: (point: AccessPoint) => void,
  ) {
    this.clock = new MediaClock(now);
  }

  get program(): Program | null {
    return this.#program;
  }

  get patCounter(): number {
    return this.#patCounter;
  }

  get pmtCounter(): number {
    return this.#pmtCounter;
  }

  /** Position of the newest unit on the access PID (a PES start of the video), or NONE. */
  get unitPosition(): number {
    return this.#unitPosition;
  }

  /** Position at which the clock last moved on. */
  get clockPosition(): number {
    return this.#clockPosition;
  }

  /** Units that have begun since the last entry point, or since the beginning. */
  get unitsWithoutEntry(): number {
    return this.#unitsWithoutEntry;
  }

  /** Reads the packet at `at`, which lies at `position` in the stream. True where a unit of the access PID begins in it. */
  observe(buffer: Buffer, at: number, position: number): boolean {
    this.clock.start();
    const pid = pidOf(buffer, at);
    if (pid === NULL_PID) return false;
    if (pid === PAT_PID || pid === this.#tables.pmtPid) this.#observeTables(buffer, at, pid);
    const program = this.#program;
    if (program === null) return false;
    if (pid === program.pmt.pcrPid) {
      const pcr = readPcr(buffer, at);
      if (pcr !== NONE) {
        if (this.clock.tick(pcr)) this.#clockPosition = position;
        this.anchors.note(buffer, at, pcr, position);
      }
    }
    return pid === program.accessPid && this.#observeUnit(buffer, at, position, program);
  }

  /**
   * The stream ends at `position`; what was read beyond is not part of it. `counterOf` tells the counters there. Anchors are left as they are: nothing
   * that is given up has any.
   */
  cutAt(position: number, counterOf: (pid: number) => number): void {
    this.#pending = null;
    this.#unitPosition = this.#recentUnits.reduce((latest, unit) => (unit <= position ? Math.max(latest, unit) : latest), NONE);
    this.#patCounter = counterOf(PAT_PID);
    this.#pmtCounter = counterOf(this.#tables.pmtPid);
    this.#tables.resync();
  }

  #observeTables(buffer: Buffer, at: number, pid: number): void {
    if (pid === PAT_PID) this.#patCounter = continuityCounter(buffer, at);
    else this.#pmtCounter = continuityCounter(buffer, at);
    this.#tables.push(buffer, at, pid);
    const program = this.#tables.program;
    if (program === this.#program) return;
    if (program?.accessPid !== this.#program?.accessPid || program?.videoCodec !== this.#program?.videoCodec) {
      this.#detector = program === null || program.videoCodec === null ? null : new RandomAccessDetector(program.videoCodec);
      this.#pending = null;
    }
    this.#program = program;
  }

  #observeUnit(buffer: Buffer, at: number, position: number, program: Program): boolean {
    const begins = pesOffset(buffer, at) !== NONE;
    if (begins) {
      this.#unitPosition = position;
      this.#recentUnits[this.#unitCount++ % RECENT_UNITS] = position;
      this.#unitsWithoutEntry += 1;
      this.#pending = {
        position,
        mediaMs: this.clock.elapsedMs,
        program,
        patCounter: this.#patCounter,
        pmtCounter: this.#pmtCounter,
      };
    }
    if (this.#pending === null) return begins;
    const verdict = this.#detector === null ? this.#verdictWithoutVideo(buffer, at) : this.#detector.push(buffer, at);
    if (verdict === 'pending') return begins;
    const pending = this.#pending;
    this.#pending = null;
    if (verdict !== 'none') {
      this.#unitsWithoutEntry = 0;
      this.onAccessPoint({ ...pending, kind: verdict });
    }
    return begins;
  }

  /** Every unit of sound is a place to begin at, if it has a time. */
  #verdictWithoutVideo(buffer: Buffer, at: number): RandomAccessKind | 'none' {
    return decodingTimeOf(buffer, at) === NONE ? 'none' : 'clean';
  }
}
