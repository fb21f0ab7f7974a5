/**
 * Searches another source for the position that the stream has reached, so that it can continue exactly there. The search starts at a packet with a
 * PCR that is also in the stream. From there on every packet must be the same, up to the end of the stream. Continuity counters and null packets
 * may differ, because engines and multiplexers renumber packets and remove null packets.
 */
import { CLOCK_27M, NONE, NULL_PID, PACKET_SIZE, WRAP_27M, distance, hasPayload, pidOf, readPcr } from '@acexy/mpegts';
import type { Clock } from '@acexy/service-kit/primitives';
import type { StreamBuffer } from '../buffer/stream-buffer.js';
import type { SplicedSource } from './spliced-source.js';

/**
 * 'exact': the end of the stream was reached and every byte was the same. 'renumbered': the same except for counters and null packets. 'gap': the
 * source starts after the end of the stream. 'differs': it has other packets at the end of the stream. 'other-clock': its clock cannot be compared.
 */
export type SearchVerdict = 'undecided' | 'exact' | 'renumbered' | 'gap' | 'differs' | 'other-clock';

/** Equal packets with payload required for a match: no window of 16 packets of coded video was found twice. */
const MIN_EQUAL_PACKETS = 16;
/** PCRs in a row that should be in the stream but are not. A lost or damaged packet causes one or two. */
const MAX_MISSES = 8;
/** The search ends after this much media of the source (ticks of 27 MHz) … */
const MAX_MEDIA = 30 * CLOCK_27M;
/** … or this much time (ms). */
const MAX_SEARCH_MS = 15_000;
/** How often the speed of the source is measured (ms). */
const SPEED_INTERVAL_MS = 3000;

export class ContinuationSearch {
  readonly #scratch = Buffer.alloc(PACKET_SIZE);
  readonly #startedAt: number;
  readonly #tablePids: ReadonlySet<number> | null;
  #pcrPid = NULL_PID;
  #firstPcr = NONE;
  #misses = 0;
  /** How many of the last PCRs in a row are also in the stream. */
  repeats = 0;
  #speedSince = 0;
  #speedPcr = NONE;
  /** Position of the stream's packet to compare with the next one of the source, or NONE until an anchor is found. */
  #cursor = NONE;
  #equalPackets = 0;
  #same = true;

  /** `current`: how the newest part of the stream was rewritten; null if it was not. */
  constructor(
    private readonly stream: StreamBuffer,
    private readonly current: SplicedSource | null,
    private readonly clock: Clock,
  ) {
    this.#startedAt = clock.now();
    this.#tablePids = current?.tablePids ?? null;
  }

  /** The PID of the source's PCR, when its program is known. */
  setPcrPid(pid: number): void {
    this.#pcrPid = pid;
  }

  /** Reads the next packet of the source. After 'exact' and 'renumbered' the stream continues with the packet after it. */
  read(buffer: Buffer, at: number): SearchVerdict {
    const pcr = this.#pcrIn(buffer, at);
    if (this.#cursor === NONE && pcr === NONE) return this.#unlessTooLate();
    const packet = this.#translated(buffer, at);
    const from = packet === buffer ? at : 0;
    const outgoingPcr = pcr === NONE ? NONE : readPcr(packet, from);
    if (this.#cursor !== NONE && this.#compare(packet, from)) {
      if (outgoingPcr !== NONE) this.repeats += 1;
    } else {
      this.#cursor = NONE;
      if (outgoingPcr === NONE) return 'undecided';
      const position = this.stream.index.anchors.positionOf(packet, from, outgoingPcr);
      this.repeats = position === NONE ? 0 : this.repeats + 1;
      if (position === NONE || position < this.stream.startPosition) return this.#judge(outgoingPcr, position !== NONE);
      this.#misses = 0;
      this.#cursor = position;
      this.#equalPackets = 0;
      this.#same = true;
      if (!this.#compare(packet, from)) this.#cursor = NONE;
    }
    if (this.#cursor === NONE || !this.#atEnd()) return this.#unlessTooLate();
    if (this.#equalPackets < MIN_EQUAL_PACKETS) return 'gap'; // too few equal packets for a match
    return this.#same && this.current === null ? 'exact' : 'renumbered';
  }

  #pcrIn(buffer: Buffer, at: number): number {
    const pcr = readPcr(buffer, at);
    if (pcr === NONE) return NONE;
    const pid = pidOf(buffer, at);
    if (this.#pcrPid === NULL_PID) this.#pcrPid = pid;
    return pid === this.#pcrPid ? pcr : NONE;
  }

  /** The packet as it would be in the stream, except for its counter. */
  #translated(buffer: Buffer, at: number): Buffer {
    if (this.current === null) return buffer;
    buffer.copy(this.#scratch, 0, at, at + PACKET_SIZE);
    this.current.rewriter.translate(this.#scratch, 0);
    return this.#scratch;
  }

  /** Compares the packet with the stream's packet at the cursor and advances the cursor. False if they differ. */
  #compare(packet: Buffer, at: number): boolean {
    // The packet may have been evicted or cut off.
    if (this.#cursor < this.stream.startPosition || this.#cursor >= this.stream.endPosition) return false;
    const bytes = this.stream.bytesFrom(this.#cursor);
    if (this.#same && packet.compare(bytes, 0, PACKET_SIZE, at, at + PACKET_SIZE) === 0) {
      this.#advance(packet, at);
      return true;
    }
    this.#same = false;
    if (this.#isIgnored(packet, at)) return true;
    this.#skipIgnored();
    if (this.#cursor >= this.stream.endPosition || !equalButCounter(packet, at, this.stream.bytesFrom(this.#cursor))) return false;
    this.#advance(packet, at);
    return true;
  }

  #advance(packet: Buffer, at: number): void {
    this.#cursor += PACKET_SIZE;
    if (hasPayload(packet, at) && pidOf(packet, at) !== NULL_PID) this.#equalPackets += 1;
  }

  /** All packets of the stream have been compared. */
  #atEnd(): boolean {
    if (!this.#same) this.#skipIgnored();
    return this.#cursor >= this.stream.endPosition;
  }

  #skipIgnored(): void {
    while (this.#cursor < this.stream.endPosition && this.#isIgnored(this.stream.bytesFrom(this.#cursor), 0)) this.#cursor += PACKET_SIZE;
  }

  /** Null packets, and tables if ours replace the source's. */
  #isIgnored(packet: Buffer, at: number): boolean {
    const pid = pidOf(packet, at);
    return pid === NULL_PID || (this.#tablePids?.has(pid) ?? false);
  }

  /** The verdict on a PCR whose packet is not in the stream, or (`evicted`) no longer. */
  #judge(pcr: number, evicted: boolean): SearchVerdict {
    const relation = this.stream.index.anchors.relationOf(pcr);
    switch (relation) {
      case 'after':
        return 'gap';
      case 'far':
        return 'other-clock';
      case 'before':
        return this.#tooFar(pcr) ? 'other-clock' : 'undecided';
      case 'within':
        if (evicted) this.#misses = 0;
        else this.#misses += 1;
        return this.#misses >= MAX_MISSES ? 'differs' : 'undecided';
      default: {
        const unknown: never = relation;
        throw new TypeError(`unknown clock relation: ${String(unknown)}`);
      }
    }
  }

  /** When the time is up, a source that repeats what is in the stream has the same clock. */
  #unlessTooLate(): SearchVerdict {
    if (!this.#tooLate()) return 'undecided';
    return this.repeats > 0 ? 'differs' : 'other-clock';
  }

  #tooLate(): boolean {
    return this.clock.now() - this.#startedAt > MAX_SEARCH_MS;
  }

  /** The source will not reach the end of the stream within the limits. */
  #tooFar(pcr: number): boolean {
    if (this.#tooLate()) return true;
    const now = this.clock.now();
    if (this.#firstPcr === NONE) {
      this.#firstPcr = pcr;
      this.#speedPcr = pcr;
      this.#speedSince = now;
    }
    if (distance(this.#firstPcr, pcr, WRAP_27M) > MAX_MEDIA) return true;
    const elapsed = now - this.#speedSince;
    if (elapsed < SPEED_INTERVAL_MS) return false;
    const speed = distance(this.#speedPcr, pcr, WRAP_27M) / elapsed;
    this.#speedSince = now;
    this.#speedPcr = pcr;
    const left = distance(pcr, this.stream.index.anchors.newestPcr, WRAP_27M);
    return speed <= 0 || left / speed > MAX_SEARCH_MS - (now - this.#startedAt);
  }
}

function equalButCounter(packet: Buffer, at: number, other: Buffer): boolean {
  return (
    packet.compare(other, 0, 3, at, at + 3) === 0 &&
    (packet[at + 3] & 0xf0) === (other[3] & 0xf0) &&
    packet.compare(other, 4, PACKET_SIZE, at + 4, at + PACKET_SIZE) === 0
  );
}
