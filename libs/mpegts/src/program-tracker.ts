/** Tracks the streams that a transport stream carries: reads the PAT and the PMT of its first program. */
import { NULL_PID, PAT_PID } from './packet.js';
import { type ProgramAssociation, type ProgramMap, parsePat, parsePmt } from './psi.js';
import { type VideoCodec, videoCodecOf } from './random-access.js';
import { SectionAssembler } from './section-assembler.js';
import { isAudio } from './stream-format.js';

/** One version of the program. Immutable, so it can be stored with a position of the stream. */
export interface Program {
  readonly pat: ProgramAssociation;
  readonly pmt: ProgramMap;
  /** The sections as received, to be sent again. */
  readonly patSection: Uint8Array;
  readonly pmtSection: Uint8Array;
  /** The PID that carries the random-access points: video, else the first audio, else the first stream. NULL_PID if there is none. */
  readonly accessPid: number;
  /** The codec on `accessPid`; null if it is not video: then every PES packet with a time is a random-access point. */
  readonly videoCodec: VideoCodec | null;
}

export class ProgramTracker {
  /** Null until a PAT and its PMT have been seen. */
  program: Program | null = null;
  #pat: ProgramAssociation | null = null;
  #patSection: Uint8Array = new Uint8Array();
  #patSections = new SectionAssembler();
  #pmtSections = new SectionAssembler();
  readonly #onPat = (section: Uint8Array): void => this.#takePat(section);
  readonly #onPmt = (section: Uint8Array): void => this.#takePmt(section);

  /** The PID of the PMT, or NULL_PID while unknown. */
  get pmtPid(): number {
    return this.#pat?.pmtPid ?? NULL_PID;
  }

  /** Reads a packet; other PIDs than those of PAT and PMT are ignored. */
  push(buffer: Uint8Array, at: number, pid: number): void {
    if (pid === PAT_PID) this.#patSections.push(buffer, at, this.#onPat);
    else if (this.#pat !== null && pid === this.#pat.pmtPid) this.#pmtSections.push(buffer, at, this.#onPmt);
  }

  /** The next packets do not continue the previous ones. The known program stays. */
  resync(): void {
    this.#patSections.resync();
    this.#pmtSections.resync();
  }

  #takePat(section: Uint8Array): void {
    if (Buffer.compare(section, this.#patSection) === 0) return;
    const pat = parsePat(section);
    if (pat === null) return;
    if (pat.pmtPid !== this.#pat?.pmtPid) this.#pmtSections = new SectionAssembler();
    this.#pat = pat;
    this.#patSection = section;
    if (this.program !== null && this.program.pat.programNumber === pat.programNumber) {
      this.program = { ...this.program, pat, patSection: section };
    }
  }

  #takePmt(section: Uint8Array): void {
    if (this.#pat === null || (this.program !== null && Buffer.compare(section, this.program.pmtSection) === 0)) return;
    const pmt = parsePmt(section);
    if (pmt === null || pmt.programNumber !== this.#pat.programNumber) return; // several programs may share a PID
    const video = pmt.streams.find((stream) => videoCodecOf(stream.streamType) !== null);
    this.program = {
      pat: this.#pat,
      pmt,
      patSection: this.#patSection,
      pmtSection: section,
      accessPid: (video ?? pmt.streams.find(isAudio) ?? pmt.streams.at(0))?.pid ?? NULL_PID,
      videoCodec: video === undefined ? null : videoCodecOf(video.streamType),
    };
  }
}
