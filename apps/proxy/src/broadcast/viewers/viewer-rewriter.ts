/**
 * Bytes for one viewer alone. A joining viewer gets its tables and the first moments as a copy, until every stream has begun a unit; a viewer that
 * has jumped gets copies with its own clocks and counters from then on. Everybody else shares.
 */
import {
  BrokenLinkMarker,
  LeadingPictureFilter,
  PACKET_SIZE,
  PAT_PID,
  type Program,
  type Restamper,
  continuityCounter,
  packetizeSection,
  pidOf,
  setContinuityCounter,
} from '@acexy/mpegts';
import { type FramedBytes, FramedRoom } from '../buffer/framed-bytes.js';
import { JoinFilter, type LateEntry } from './join-filter.js';
import type { AccessPoint } from '../buffer/stream-index.js';

/** PAT and PMT to begin with, and the counters of the last ones before the place of joining. */
export type Tables = Pick<AccessPoint, 'program' | 'patCounter' | 'pmtCounter'> & { readonly lateEntry?: LateEntry };

export class ViewerRewriter {
  readonly #filter: JoinFilter | null;
  readonly #program: Program | null;
  #tables: Buffer | null;
  /** After a jump, while the entry picture is being sent (HEVC); for good (MPEG-2). */
  #link: BrokenLinkMarker | null = null;
  readonly #leading: LeadingPictureFilter | null = null;

  /** `tables` null: none are known yet. `restamper` null: clocks and counters stay as they are. */
  constructor(
    tables: Tables | null,
    private readonly restamper: Restamper | null,
  ) {
    this.#program = tables?.program ?? null;
    this.#filter = tables === null ? null : new JoinFilter(tables.program, tables.lateEntry ?? null);
    this.#tables = tables === null ? null : tablePackets(tables);
    if (restamper === null || tables === null) return;
    if (tables.program.videoCodec === 'hevc') this.#link = new BrokenLinkMarker();
    if (tables.program.videoCodec === 'mpeg2') this.#leading = new LeadingPictureFilter();
  }

  /** From here on the viewer can share. */
  get done(): boolean {
    return this.restamper === null && this.#tables === null && (this.#filter === null || this.#filter.done);
  }

  /**
   * The viewer's copy of `data`, which begins at `position` in the stream, from byte `from` on, or null where nothing of it is for this viewer.
   * Data must come in order.
   */
  of(data: Buffer, from: number, position: number): FramedBytes | null {
    const tables = this.#tables;
    this.#tables = null;
    const before = tables?.length ?? 0;
    const copy = new FramedRoom(before + data.length - from);
    const room = copy.room;
    tables?.copy(room);
    const length = before + this.#copyWanted(data, from, position, room, before);
    if (length === 0) return null;
    if (before > 0 && this.#program !== null) {
      fitCounters(room, before, length, PAT_PID);
      fitCounters(room, before, length, this.#program.pat.pmtPid);
    }
    this.restamper?.restamp(room, 0, length);
    return copy.close(length);
  }

  #copyWanted(data: Buffer, from: number, position: number, room: Buffer, at: number): number {
    let to = at;
    for (let packet = from; packet < data.length; packet += PACKET_SIZE) {
      if (this.#nothingToDo) {
        to += data.copy(room, to, packet);
        break;
      }
      if (this.#filter !== null && !this.#filter.passes(data, packet, position + packet)) continue;
      const ofAccessPid = pidOf(data, packet) === this.#program?.accessPid;
      if (ofAccessPid && this.#leading !== null && !this.#leading.passes(data, packet)) continue;
      data.copy(room, to, packet, packet + PACKET_SIZE);
      if (ofAccessPid) this.#repair(room, to);
      to += PACKET_SIZE;
    }
    return to - at;
  }

  /** Every packet that is left passes as it is. */
  get #nothingToDo(): boolean {
    return (this.#filter === null || this.#filter.done) && this.#link === null && this.#leading === null;
  }

  #repair(room: Buffer, at: number): void {
    this.#leading?.renumber(room, at);
    this.#link?.mark(room, at);
    if (this.#link?.done === true) this.#link = null;
  }
}

/** PAT and PMT with the counters that the last ones before the place had: to whoever has read those, these are the same packets sent twice. */
export function tablePackets({ program, patCounter, pmtCounter }: Tables): Buffer {
  return Buffer.concat([
    sectionUpTo(program.patSection, PAT_PID, patCounter),
    sectionUpTo(program.pmtSection, program.pat.pmtPid, pmtCounter),
  ]);
}

/** The section in packets whose last one has counter `counter`. */
function sectionUpTo(section: Uint8Array, pid: number, counter: number): Buffer {
  const packets = packetizeSection(section, pid, 0);
  renumber(packets, packets.length, pid, counter);
  return packets;
}

/**
 * Gives the injected packets of `pid` in `buffer[0, before)` the counters that lead up to the first one that follows, so that nobody sees a
 * break. Where none follows yet they keep the counters that led up to the place of joining.
 */
function fitCounters(buffer: Buffer, before: number, length: number, pid: number): void {
  for (let at = before; at < length; at += PACKET_SIZE) {
    if (pidOf(buffer, at) !== pid) continue;
    renumber(buffer, before, pid, continuityCounter(buffer, at) - 1);
    return;
  }
}

/** Numbers the packets of `pid` in `buffer[0, to)` so that the last of them has counter `last`. */
function renumber(buffer: Buffer, to: number, pid: number, last: number): void {
  let counter = last;
  for (let at = to - PACKET_SIZE; at >= 0; at -= PACKET_SIZE) {
    if (pidOf(buffer, at) !== pid) continue;
    setContinuityCounter(buffer, at, counter & 0x0f);
    counter -= 1;
  }
}
