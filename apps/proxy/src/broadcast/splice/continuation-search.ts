/**
 * Looks in another source's packets for the place that the stream has reached, so that it can go on from exactly there. A packet with a clock
 * reference that is in the stream, too, is where the two are laid beside each other; from there on every packet must be the same up to the
 * stream's end. Continuity counters and null packets may differ: engines and multiplexers renumber and leave out.
 */
import {
  type AnchorMap,
  CLOCK_27M,
  NONE,
  NULL_PID,
  PACKET_SIZE,
  WRAP_27M,
  distance,
  hasPayload,
  pidOf,
  readPcr,
  type SourceRewriter,
} from '@acexy/mpegts';
import type { Clock } from '@acexy/service-kit/primitives';

/** The stream as it has been taken in, see StreamBuffer. */
export interface TakenStream {
  readonly anchors: AnchorMap;
  readonly startPosition: number;
  readonly takenEnd: number;
  bytesFrom(position: number): Buffer;
}

/** How the packets taken in came from their source's, where not as they were. */
export interface Translation {
  readonly rewriter: SourceRewriter;
  /** PIDs, in the source and in the stream, of tables that are not the source's own. */
  readonly tablePids: ReadonlySet<number>;
}

/**
 * 'exact': the stream's end is reached, every byte was the same. 'renumbered': the same apart from counters and nulls. 'gap': the source begins
 * behind the end. 'differs': it covers the end with other packets. 'other-clock': nothing says where its packets belong.
 */
export type SearchVerdict = 'undecided' | 'exact' | 'renumbered' | 'gap' | 'differs' | 'other-clock';

/** Packets with payload that must be the same for a match: with 16 no window of coded video was found twice. */
const MIN_PROOF = 16;
/** References in a row within the stream's time that are not in the stream. A lost or damaged packet makes for one or two. */
const MAX_MISSES = 8;
/** Reading on ends after this much media of the source (ticks of 27 MHz) … */
const MAX_MEDIA = 30 * CLOCK_27M;
/** … or this much time (ms). */
const MAX_SEARCH_MS = 15_000;
/** How often the source's pace is measured (ms). */
const PACE_MS = 3000;

export class ContinuationSearch {
  readonly #scratch = Buffer.alloc(PACKET_SIZE);
  readonly #startedAt: number;
  readonly #tablePids: ReadonlySet<number> | null;
  #pcrPid = NULL_PID;
  #firstPcr = NONE;
  #misses = 0;
  #repeats = 0;
  #paceSince = 0;
  #pacePcr = NONE;
  /** Position of the stream's packet that the next one of the source is compared with, or NONE while no place is known. */
  #cursor = NONE;
  #proof = 0;
  #same = true;

  /** `translation`: how the stream's current piece was made from its source; null where it was taken as it came. */
  constructor(
    private readonly taken: TakenStream,
    private readonly translation: Translation | null,
    private readonly clock: Clock,
  ) {
    this.#startedAt = clock.now();
    this.#tablePids = translation?.tablePids ?? null;
  }

  /** Clock references of the source in a row, up to the last one, that the stream has, too. */
  get repeats(): number {
    return this.#repeats;
  }

  /** The source's program is known: its clock references are on this PID. */
  followClockOn(pid: number): void {
    this.#pcrPid = pid;
  }

  /** Reads the source's next packet. After 'exact' and 'renumbered' the stream goes on with the packet behind it. */
  read(buffer: Buffer, at: number): SearchVerdict {
    const pcr = this.#referenceIn(buffer, at);
    const isCompared = this.#cursor !== NONE || pcr !== NONE;
    if (!isCompared) return this.#unlessTooLate();
    const packet = this.#translated(buffer, at);
    const from = packet === buffer ? at : 0;
    const reference = pcr === NONE ? NONE : readPcr(packet, from);
    if (this.#cursor !== NONE && this.#compare(packet, from)) {
      if (reference !== NONE) this.#repeats += 1;
    } else {
      this.#cursor = NONE;
      if (reference === NONE) return 'undecided';
      const position = this.taken.anchors.positionOf(packet, from, reference);
      this.#repeats = position === NONE ? 0 : this.#repeats + 1;
      if (position === NONE || position < this.taken.startPosition) return this.#judge(reference, position !== NONE);
      this.#misses = 0;
      this.#begin(position);
      if (!this.#compare(packet, from)) this.#cursor = NONE;
    }
    if (this.#cursor === NONE || !this.#atEnd()) return this.#unlessTooLate();
    if (this.#proof < MIN_PROOF) return 'gap'; // too little in common to be sure of
    return this.#same && this.translation === null ? 'exact' : 'renumbered';
  }

  #referenceIn(buffer: Buffer, at: number): number {
    const pcr = readPcr(buffer, at);
    if (pcr === NONE) return NONE;
    const pid = pidOf(buffer, at);
    if (this.#pcrPid === NULL_PID) this.#pcrPid = pid;
    return pid === this.#pcrPid ? pcr : NONE;
  }

  /** The packet as the stream would have it, its counter aside. */
  #translated(buffer: Buffer, at: number): Buffer {
    if (this.translation === null) return buffer;
    buffer.copy(this.#scratch, 0, at, at + PACKET_SIZE);
    this.translation.rewriter.translate(this.#scratch, 0);
    return this.#scratch;
  }

  #begin(position: number): void {
    this.#cursor = position;
    this.#proof = 0;
    this.#same = true;
  }

  /** Compares the packet with the stream's at the cursor and moves that on. False where they differ. */
  #compare(packet: Buffer, at: number): boolean {
    // The stream may have moved on over it, or given up its last packets.
    if (this.#cursor < this.taken.startPosition || this.#cursor >= this.taken.takenEnd) return false;
    const bytes = this.taken.bytesFrom(this.#cursor);
    if (this.#same && packet.compare(bytes, 0, PACKET_SIZE, at, at + PACKET_SIZE) === 0) {
      this.#advance(packet, at);
      return true;
    }
    this.#same = false;
    if (this.#isPassedOver(packet, at)) return true;
    this.#skipPassedOver();
    if (this.#cursor >= this.taken.takenEnd || !equalButCounter(packet, at, this.taken.bytesFrom(this.#cursor))) return false;
    this.#advance(packet, at);
    return true;
  }

  #advance(packet: Buffer, at: number): void {
    this.#cursor += PACKET_SIZE;
    if (hasPayload(packet, at) && pidOf(packet, at) !== NULL_PID) this.#proof += 1;
  }

  /** Nothing of the stream is left to compare. */
  #atEnd(): boolean {
    if (!this.#same) this.#skipPassedOver();
    return this.#cursor >= this.taken.takenEnd;
  }

  #skipPassedOver(): void {
    while (this.#cursor < this.taken.takenEnd && this.#isPassedOver(this.taken.bytesFrom(this.#cursor), 0)) this.#cursor += PACKET_SIZE;
  }

  /** Packets that say nothing about the place: nulls, and tables where ours replace the source's. */
  #isPassedOver(packet: Buffer, at: number): boolean {
    const pid = pidOf(packet, at);
    return pid === NULL_PID || (this.#tablePids?.has(pid) ?? false);
  }

  /** What a reference that is not (or no longer) in the stream tells. */
  #judge(pcr: number, known: boolean): SearchVerdict {
    const relation = this.taken.anchors.relationOf(pcr);
    switch (relation) {
      case 'after':
        return 'gap';
      case 'far':
        return 'other-clock';
      case 'before':
        return this.#tooFar(pcr) ? 'other-clock' : 'undecided';
      case 'within':
        if (known) this.#misses = 0;
        else this.#misses += 1;
        return this.#misses >= MAX_MISSES ? 'differs' : 'undecided';
      default: {
        const unknown: never = relation;
        throw new TypeError(`no such relation: ${String(unknown)}`);
      }
    }
  }

  /** Out of time a source that has been showing what the stream has is on its clock all the same. */
  #unlessTooLate(): SearchVerdict {
    if (!this.#tooLate()) return 'undecided';
    return this.#repeats > 0 ? 'differs' : 'other-clock';
  }

  #tooLate(): boolean {
    return this.clock.now() - this.#startedAt > MAX_SEARCH_MS;
  }

  /** The source is not going to reach the stream's time within the bounds. */
  #tooFar(pcr: number): boolean {
    if (this.#tooLate()) return true;
    const now = this.clock.now();
    if (this.#firstPcr === NONE) {
      this.#firstPcr = pcr;
      this.#pacePcr = pcr;
      this.#paceSince = now;
    }
    if (distance(this.#firstPcr, pcr, WRAP_27M) > MAX_MEDIA) return true;
    const elapsed = now - this.#paceSince;
    if (elapsed < PACE_MS) return false;
    const pace = distance(this.#pacePcr, pcr, WRAP_27M) / elapsed;
    this.#paceSince = now;
    this.#pacePcr = pcr;
    const left = distance(pcr, this.taken.anchors.newestPcr, WRAP_27M);
    return pace <= 0 || left / pace > MAX_SEARCH_MS - (now - this.#startedAt);
  }
}

function equalButCounter(packet: Buffer, at: number, other: Buffer): boolean {
  return (
    packet.compare(other, 0, 3, at, at + 3) === 0 &&
    (packet[at + 3] & 0xf0) === (other[3] & 0xf0) &&
    packet.compare(other, 4, PACKET_SIZE, at + 4, at + PACKET_SIZE) === 0
  );
}
