/** Reads every packet once when it comes in: the program, the clock, the starts of units and the random-access points. */
import {
  AnchorMap,
  MediaClock,
  NONE,
  NULL_PID,
  PACKET_SIZE,
  PAT_PID,
  type PacketStore,
  type Program,
  ProgramTracker,
  RandomAccessDetector,
  type RandomAccessKind,
  continuityCounter,
  forEachBlock,
  hasAdaptationField,
  pesOffset,
  pidOf,
  readDts,
  readPcr,
  startsUnit,
} from '@acexy/mpegts';

/** A position at which a decoder can start, with what it needs to know before. Positions count the bytes of all packets of the stream. */
export interface RandomAccessPoint {
  readonly position: number;
  readonly kind: RandomAccessKind;
  /** Milliseconds of media before it. */
  readonly mediaMs: number;
  /** The tables that apply there. */
  readonly program: Program;
  /** Continuity counters of the last PAT and PMT packets before it. */
  readonly patCounter: number;
  readonly pmtCounter: number;
}

/** Unit positions kept, because `cutAt` may remove the newest units. */
const RECENT_UNITS = 16;

export class StreamIndex {
  readonly clock: MediaClock;
  readonly anchors = new AnchorMap();
  program: Program | null = null;
  /** Position of the newest unit (PES packet) on the PID with the random-access points, or NONE. */
  unitPosition = NONE;
  /** Units since the last random-access point, or since the start of the stream. */
  unitsSincePoint = 0;
  /** Position at which the PCR last changed. */
  pcrPosition = 0;
  readonly #tables = new ProgramTracker();
  #detector: RandomAccessDetector | null = null;
  #patCounter = NONE;
  #pmtCounter = NONE;
  readonly #recentUnits = new Array<number>(RECENT_UNITS).fill(NONE);
  #unitCount = 0;
  /** The unit that is being read. It becomes a random-access point if its first slice confirms it. */
  #pending: Omit<RandomAccessPoint, 'kind'> | null = null;

  constructor(
    now: () => number,
    private readonly onRandomAccessPoint: (point: RandomAccessPoint) => void,
  ) {
    this.clock = new MediaClock(now);
  }

  /**
   * Reads the packets in `buffer[from, to)`, which `store` already holds at `position`. When the program becomes known it reads the whole store
   * again, because a keyframe before the tables was not recognised.
   */
  observe(buffer: Buffer, from: number, to: number, position: number, store: PacketStore): void {
    this.clock.start();
    for (let at = from; at < to; at += PACKET_SIZE) {
      if (this.#tellsNothing(buffer, at)) continue;
      const wasKnown = this.program !== null;
      this.#observePacket(buffer, at, position + at - from);
      if (wasKnown || this.program === null) continue;
      forEachBlock(store, store.startPosition, (bytes, start) => {
        for (let offset = 0; offset < bytes.length; offset += PACKET_SIZE) this.#observePacket(bytes, offset, start + offset);
      });
      return;
    }
  }

  /** The stream is cut at `position`; `counters` are those before it. Anchors stay: the part that is cut off has none. */
  cutAt(position: number, counters: ReadonlyMap<number, number>): void {
    this.#pending = null;
    this.unitPosition = this.#recentUnits.reduce((latest, unit) => (unit <= position ? Math.max(latest, unit) : latest), NONE);
    this.#patCounter = counters.get(PAT_PID) ?? NONE;
    this.#pmtCounter = counters.get(this.#tables.pmtPid) ?? NONE;
    this.#tables.resync();
  }

  /** Whether the packet is in the middle of a unit, like most packets. */
  #tellsNothing(buffer: Buffer, at: number): boolean {
    if (startsUnit(buffer, at) || hasAdaptationField(buffer, at)) return false;
    const pid = pidOf(buffer, at);
    if (pid === PAT_PID || pid === this.#tables.pmtPid) return false;
    return this.#pending === null || pid !== this.program?.accessPid;
  }

  #observePacket(buffer: Buffer, at: number, position: number): void {
    const pid = pidOf(buffer, at);
    if (pid === NULL_PID) return;
    if (pid === PAT_PID || pid === this.#tables.pmtPid) this.#observeTables(buffer, at, pid);
    const program = this.program;
    if (program === null) return;
    if (pid === program.pmt.pcrPid) {
      const pcr = readPcr(buffer, at);
      if (pcr !== NONE) {
        if (this.clock.tick(pcr)) this.pcrPosition = position;
        this.anchors.add(buffer, at, pcr, position);
      }
    }
    if (pid === program.accessPid) this.#observeUnit(buffer, at, position, program);
  }

  #observeTables(buffer: Buffer, at: number, pid: number): void {
    if (pid === PAT_PID) this.#patCounter = continuityCounter(buffer, at);
    else this.#pmtCounter = continuityCounter(buffer, at);
    this.#tables.push(buffer, at, pid);
    const program = this.#tables.program;
    if (program === this.program) return;
    if (program?.accessPid !== this.program?.accessPid || program?.videoCodec !== this.program?.videoCodec) {
      this.#detector = program === null || program.videoCodec === null ? null : new RandomAccessDetector(program.videoCodec);
      this.#pending = null;
    }
    this.program = program;
  }

  #observeUnit(buffer: Buffer, at: number, position: number, program: Program): void {
    if (pesOffset(buffer, at) !== NONE) {
      this.unitPosition = position;
      this.#recentUnits[this.#unitCount++ % RECENT_UNITS] = position;
      this.unitsSincePoint += 1;
      const mediaMs = this.clock.elapsedMs;
      this.#pending = { position, mediaMs, program, patCounter: this.#patCounter, pmtCounter: this.#pmtCounter };
    }
    const pending = this.#pending;
    if (pending === null) return;
    const verdict = this.#detector === null ? verdictOnAudio(buffer, at) : this.#detector.push(buffer, at);
    if (verdict === 'pending') return;
    this.#pending = null;
    if (verdict === 'none') return;
    this.unitsSincePoint = 0;
    this.onRandomAccessPoint({ ...pending, kind: verdict });
  }
}

/** Without video every unit with a time is a random-access point. */
function verdictOnAudio(buffer: Buffer, at: number): RandomAccessKind | 'none' {
  return readDts(buffer, at) === NONE ? 'none' : 'clean';
}
