/**
 * Maps the PIDs of another program to those that viewers already know. Players do not follow to new PIDs during a connection (mpv, VLC and
 * GStreamer stay black), and a new codec makes some of them stop.
 */
import { NULL_PID } from './packet.js';
import type { Program } from './program-tracker.js';
import { type ElementaryStream, type ProgramMap, buildPmt } from './psi.js';
import { videoCodecOf } from './random-access.js';
import { formatOf, isAudio, languageOf } from './stream-format.js';

export interface MappedProgram {
  readonly kind: 'mapped';
  /** PIDs of the source that change; NULL_PID removes the stream. All others stay. */
  readonly pids: ReadonlyMap<number, number>;
  /** The PMT section to send: the old one if nothing in it changes, else one with the next version. */
  readonly pmtSection: Uint8Array;
}

export interface CodecChange {
  readonly kind: 'codec-changed';
  /** Stream types (ISO/IEC 13818-1, table 2-34): what viewers have, and what the source has. */
  readonly promised: number;
  readonly offered: readonly number[];
}

/**
 * Maps `source` to the PIDs of `outgoing`. Streams are paired by format, the same language first, in their order. The first video and the first
 * audio stream must have a partner.
 */
export function mapProgram(outgoing: Program, source: Program): MappedProgram | CodecChange {
  const offered = source.pmt.streams.map((stream) => stream.streamType);
  const partners = pair(outgoing.pmt.streams, source.pmt.streams);
  const essential = [outgoing.pmt.streams.find((stream) => videoCodecOf(stream.streamType) !== null), outgoing.pmt.streams.find(isAudio)];
  for (const stream of essential) {
    if (stream !== undefined && !partners.has(stream)) return { kind: 'codec-changed', promised: stream.streamType, offered };
  }
  const pids = pidMap(outgoing, source, partners);
  const pmt = outgoingPmt(outgoing, source, partners, pids);
  const unchanged = Buffer.compare(buildPmt(pmt), buildPmt(outgoing.pmt)) === 0;
  const pmtSection = unchanged ? outgoing.pmtSection : buildPmt({ ...pmt, version: (outgoing.pmt.version + 1) & 0x1f });
  return { kind: 'mapped', pids, pmtSection };
}

function pair(outgoing: readonly ElementaryStream[], source: readonly ElementaryStream[]): Map<ElementaryStream, ElementaryStream> {
  const left = [...source];
  const partners = new Map<ElementaryStream, ElementaryStream>();
  const take = (stream: ElementaryStream, fits: (other: ElementaryStream) => boolean): void => {
    const index = partners.has(stream) ? -1 : left.findIndex((other) => formatOf(other) === formatOf(stream) && fits(other));
    if (index >= 0) partners.set(stream, left.splice(index, 1)[0]);
  };
  for (const stream of outgoing) take(stream, (other) => languageOf(other) === languageOf(stream));
  for (const stream of outgoing) take(stream, () => true);
  return partners;
}

function pidMap(outgoing: Program, source: Program, partners: ReadonlyMap<ElementaryStream, ElementaryStream>): Map<number, number> {
  const pids = new Map<number, number>();
  // A stream of the source that would collide with an outgoing PID is removed.
  for (const { pid } of outgoing.pmt.streams) pids.set(pid, NULL_PID);
  pids.set(outgoing.pmt.pcrPid, NULL_PID);
  pids.set(outgoing.pat.pmtPid, NULL_PID);
  for (const { pid } of source.pmt.streams) pids.set(pid, NULL_PID);
  // A PCR on a separate PID replaces the outgoing one, if that is also on a separate PID.
  const ofStream = (program: Program): boolean => program.pmt.streams.some(({ pid }) => pid === program.pmt.pcrPid);
  if (!ofStream(source)) pids.set(source.pmt.pcrPid, ofStream(outgoing) ? freePid(source.pmt.pcrPid, pids) : outgoing.pmt.pcrPid);
  for (const [kept, taken] of partners) pids.set(taken.pid, kept.pid);
  for (const [from, to] of pids) if (from === to) pids.delete(from);
  return pids;
}

/** `pid`, or the next PID that is not used. */
function freePid(pid: number, pids: ReadonlyMap<number, number>): number {
  let free = pid;
  while (pids.has(free)) free = free + 1 >= NULL_PID ? 0x20 : free + 1;
  return free;
}

function outgoingPmt(
  outgoing: Program,
  source: Program,
  partners: ReadonlyMap<ElementaryStream, ElementaryStream>,
  pids: ReadonlyMap<number, number>,
): ProgramMap {
  return {
    programNumber: outgoing.pmt.programNumber,
    version: outgoing.pmt.version,
    pcrPid: pids.get(source.pmt.pcrPid) ?? source.pmt.pcrPid,
    descriptors: source.pmt.descriptors,
    streams: outgoing.pmt.streams.flatMap((stream) => {
      const partner = partners.get(stream);
      return partner === undefined ? [] : [{ ...stream, descriptors: partner.descriptors }];
    }),
  };
}
