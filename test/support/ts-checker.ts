/**
 * An independent checker of viewers' streams. It reads a transport stream by ISO/IEC 13818-1 with its own parser, and reports every violation of
 * what a decoder may rely on. It shares no code with the product, so the same error cannot be in both.
 * More than 300 lines, because it must not import anything of the product.
 */

export type TsRule =
  /** Packets have 188 bytes and start with 0x47. */
  | 'sync'
  /** A viewer first gets PAT, PMT, and a picture at which a decoder can start. */
  | 'start'
  /** Continuity counters are consecutive per PID. */
  | 'continuity'
  /** The PCR never goes back, and never jumps (0.5 s) without discontinuity_indicator. */
  | 'pcr-back'
  | 'pcr-jump'
  /** The DTS of a PID never goes back and never jumps (0.5 s by default). */
  | 'dts-back'
  | 'dts-jump'
  /** No unit arrives after its decoding time. */
  | 'late-unit'
  /** No unit is repeated: same PID, PTS and payload. */
  | 'repeat'
  /** A PES packet has the length in its header. */
  | 'pes-length'
  /** Tables are complete. */
  | 'crc'
  /** PAT and PMT are sent at least every 0.2 s of PCR. */
  | 'pat-late'
  | 'pmt-late'
  /** The PMT and its version only change together. */
  | 'pmt-version'
  /** PID of the PMT and program number never change. */
  | 'program';

export interface TsFault {
  readonly rule: TsRule;
  /** Index of the packet in the stream. */
  readonly packet: number;
  readonly pid: number;
  readonly detail: string;
}

export interface TsReport {
  readonly faults: readonly TsFault[];
  readonly packets: number;
  readonly nulls: number;
  readonly pmts: number;
  readonly pmtVersions: readonly number[];
  /** Number of units by PID. */
  readonly units: ReadonlyMap<number, number>;
  /** Sum of the forward PCR steps, seconds. */
  readonly seconds: number;
}

export interface TsLimits {
  /** Seconds. */
  readonly pcrJump?: number;
  readonly dtsJump?: number;
  readonly tables?: number;
  /** The stream starts where a viewer joined, so the order of its first packets is checked (H.264). */
  readonly fromJoin?: boolean;
}

const PACKET = 188;
const WRAP = 2 ** 33;
/** Stream types of video and audio. Their DTS steps are checked. */
const PACED: ReadonlySet<number> = new Set([0x01, 0x02, 0x03, 0x04, 0x0f, 0x11, 0x1b, 0x24, 0x81]);

/** Stream type. */
const H264 = 0x1b;

interface PidState {
  counter: number;
  repeats: number;
  last: Buffer | null;
  dts: number | null;
  pes: { at: number; expected: number; size: number; pts: number | null; hash: number } | null;
  units: Set<string>;
  count: number;
}

/** Largest PCR step of a continuous stream, seconds (ISO/IEC 13818-1, 2.7.2). A longer step is a wait or a splice. */
const LONGEST_PCR_INTERVAL = 0.1;
/** Number of units remembered per PID to detect repeats; about a minute of audio. */
const REMEMBERED_UNITS = 3000;

export function checkTs(bytes: Buffer, limits: TsLimits = {}): TsReport {
  const checker = new TsChecker(limits);
  checker.push(bytes);
  return checker.end();
}

/** Checks a stream of any length while it arrives. */
export class TsChecker {
  private readonly faults: TsFault[] = [];
  private readonly pids = new Map<number, PidState>();
  private readonly paced = new Set<number>();
  private readonly versions: number[] = [];
  private packet = 0;
  private started: boolean;
  private picturePid: number | null = null;
  private nulls = 0;
  private pmts = 0;
  private pcr: number | null = null;
  private pcrPid: number | null = null;
  private elapsed = 0;
  /** The same without the steps of waits and splices, during which no table can arrive. */
  private tableTime = 0;
  private lastPat = 0;
  private lastPmt = 0;
  private pmtPid: number | null = null;
  private programNumber: number | null = null;
  private pmtBody: string | null = null;
  private pmtVersion = -1;
  private readonly limits: Required<TsLimits>;
  /** Bytes of an incomplete packet. */
  private rest: Buffer = Buffer.alloc(0);

  constructor(limits: TsLimits = {}) {
    this.limits = {
      pcrJump: limits.pcrJump ?? 0.5,
      dtsJump: limits.dtsJump ?? 0.5,
      tables: limits.tables ?? 0.2,
      fromJoin: limits.fromJoin ?? false,
    };
    this.started = !this.limits.fromJoin;
  }

  push(chunk: Buffer): void {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    let at = 0;
    for (; at + PACKET <= bytes.length; at += PACKET, this.packet += 1) this.read(bytes.subarray(at, at + PACKET));
    this.rest = Buffer.from(bytes.subarray(at));
  }

  /** Result so far. A unit that has not ended is not checked. */
  report(): TsReport {
    return {
      faults: this.faults,
      packets: this.packet,
      nulls: this.nulls,
      pmts: this.pmts,
      pmtVersions: this.versions,
      units: new Map([...this.pids].map(([pid, state]) => [pid, state.count])),
      seconds: this.elapsed,
    };
  }

  /** Final result, when no more bytes follow. */
  end(): TsReport {
    if (this.rest.length > 0) this.fault('sync', 0, `${this.rest.length} bytes at the end are an incomplete packet`);
    return this.report();
  }

  /** Checks the first packets until the first picture starts. */
  private readStart(packet: Buffer, pid: number, payload: Buffer): void {
    if (this.started) return;
    if (this.packet < 2) {
      const due = this.packet === 0 ? 0 : (this.pmtPid ?? -1);
      if (pid !== due) this.fault('start', pid, `packet ${this.packet} is of PID ${pid}, not ${this.packet === 0 ? 'the PAT' : 'the PMT'}`);
      return;
    }
    if (pid !== this.picturePid) return;
    this.started = true;
    if ((packet[1] & 0x40) === 0 || !beginsDecoding(payload)) this.fault('start', pid, 'the first picture is not one to begin at');
  }

  private fault(rule: TsRule, pid: number, detail: string): void {
    this.faults.push({ rule, packet: this.packet, pid, detail });
  }

  private read(packet: Buffer): void {
    const pid = packet.readUInt16BE(1) & 0x1fff;
    if (packet[0] !== 0x47) return this.fault('sync', pid, `begins with ${packet[0]}`);
    if (pid === 0x1fff) {
      this.nulls += 1;
      return;
    }
    const control = (packet[3] >> 4) & 3;
    const fieldLength = control & 2 ? packet[4] : -1;
    const flags = fieldLength > 0 ? packet[5] : 0;
    const state = this.stateOf(pid);
    if (!this.readCounter(packet, pid, state, (control & 1) === 1, (flags & 0x80) !== 0)) return;
    if (flags & 0x10) this.readPcr(packet, pid, (flags & 0x80) !== 0);
    if ((control & 1) === 0) return;
    const payload = packet.subarray(5 + fieldLength);
    this.readStart(packet, pid, payload);
    const starts = (packet[1] & 0x40) !== 0;
    if (pid === 0) this.readPat(payload, starts);
    else if (pid === this.pmtPid) this.readPmt(payload, starts, pid);
    else if (pid > 0x1f) this.readPes(payload, starts, pid, state);
  }

  private stateOf(pid: number): PidState {
    let state = this.pids.get(pid);
    if (state === undefined) {
      state = { counter: -1, repeats: 0, last: null, dts: null, pes: null, units: new Set(), count: 0 };
      this.pids.set(pid, state);
    }
    return state;
  }

  /** False for an allowed duplicate of a packet. */
  private readCounter(packet: Buffer, pid: number, state: PidState, payload: boolean, announced: boolean): boolean {
    const counter = packet[3] & 15;
    const before = state.counter;
    const twin = state.last;
    state.counter = counter;
    state.last = packet; // a view of the chunk, so one chunk per PID stays in memory
    if (before < 0 || announced) return true;
    if (payload && counter === before && twin?.equals(packet) === true && state.repeats === 0) {
      state.repeats += 1;
      return false;
    }
    state.repeats = 0;
    const due = payload ? (before + 1) % 16 : before;
    if (counter !== due) this.fault('continuity', pid, `${counter} after ${before}${payload ? '' : ' without payload'}`);
    return true;
  }

  private readPcr(packet: Buffer, pid: number, announced: boolean): void {
    if (this.pcrPid !== null && pid !== this.pcrPid) return;
    const pcr = packet.readUInt32BE(6) * 2 + (packet[10] >> 7) + (((packet[10] & 1) << 8) | packet[11]) / 300;
    const step = this.pcr === null ? 0 : forward(this.pcr, pcr) / 90_000;
    this.pcr = pcr;
    if (announced) return;
    if (step < 0) this.fault('pcr-back', pid, `by ${(-step).toFixed(3)} s`);
    else if (step > this.limits.pcrJump) this.fault('pcr-jump', pid, `by ${step.toFixed(3)} s`);
    else {
      this.elapsed += step;
      this.tableTime += step > LONGEST_PCR_INTERVAL ? 0 : step;
    }
  }

  private readPat(payload: Buffer, starts: boolean): void {
    if (!starts) return;
    const section = payload.subarray(1 + payload[0]);
    const length = 3 + (section.readUInt16BE(1) & 0xfff);
    if (sectionCrc(section.subarray(0, length)) !== 0) return this.fault('crc', 0, 'PAT');
    if (this.tableTime - this.lastPat > this.limits.tables) this.fault('pat-late', 0, `${(this.tableTime - this.lastPat).toFixed(3)} s`);
    this.lastPat = this.tableTime;
    for (let at = 8; at < length - 4; at += 4) {
      const program = section.readUInt16BE(at);
      const pid = section.readUInt16BE(at + 2) & 0x1fff;
      if (program === 0) continue;
      if (this.pmtPid !== null && (pid !== this.pmtPid || program !== this.programNumber)) this.fault('program', 0, `program ${program}`);
      this.pmtPid = pid;
      this.programNumber = program;
      return;
    }
  }

  private readPmt(payload: Buffer, starts: boolean, pid: number): void {
    if (!starts) return;
    const section = payload.subarray(1 + payload[0]);
    const length = 3 + (section.readUInt16BE(1) & 0xfff);
    if (length > section.length || section[0] !== 2) return; // longer than a packet: not checked
    if (sectionCrc(section.subarray(0, length)) !== 0) return this.fault('crc', pid, 'PMT');
    if (this.tableTime - this.lastPmt > this.limits.tables) this.fault('pmt-late', pid, `${(this.tableTime - this.lastPmt).toFixed(3)} s`);
    this.lastPmt = this.tableTime;
    this.pmts += 1;
    const version = (section[5] >> 1) & 31;
    const body = section.toString('hex', 8, length - 4);
    if (section.readUInt16BE(3) !== this.programNumber) this.fault('program', pid, `number ${section.readUInt16BE(3)}`);
    if (this.pmtBody !== null && (body !== this.pmtBody) !== (version !== this.pmtVersion)) {
      this.fault('pmt-version', pid, `version ${this.pmtVersion} then ${version}, body ${body === this.pmtBody ? 'the same' : 'another'}`);
    }
    if (version !== this.pmtVersion) this.versions.push(version);
    this.pmtBody = body;
    this.pmtVersion = version;
    this.pcrPid = section.readUInt16BE(8) & 0x1fff;
    this.paced.clear();
    this.picturePid = null;
    for (let at = 12 + (section.readUInt16BE(10) & 0xfff); at < length - 4; at += 5 + (section.readUInt16BE(at + 3) & 0xfff)) {
      if (section[at] === H264) this.picturePid ??= section.readUInt16BE(at + 1) & 0x1fff;
      if (PACED.has(section[at])) this.paced.add(section.readUInt16BE(at + 1) & 0x1fff);
    }
  }

  private readPes(payload: Buffer, starts: boolean, pid: number, state: PidState): void {
    if (!starts) {
      if (state.pes !== null) grow(state.pes, payload);
      return;
    }
    this.closePes(pid, state);
    if (payload.length < 9 || payload.readUIntBE(0, 3) !== 1) return;
    const length = payload.readUInt16BE(4);
    const pts = payload[7] & 0x80 ? stamp(payload, 9) : null;
    const dts = payload[7] & 0x40 ? stamp(payload, 14) : pts;
    state.pes = { at: this.packet, expected: length === 0 ? 0 : length + 6, size: 0, pts, hash: 0x1505 };
    const header = 9 + payload[8];
    state.pes.size = header;
    grow(state.pes, payload.subarray(header));
    state.count += 1;
    if (dts !== null) this.readDts(dts, pid, state);
  }

  private readDts(dts: number, pid: number, state: PidState): void {
    if (!this.paced.has(pid)) return;
    if (this.pcr !== null && forward(this.pcr, dts) < 0) {
      this.fault('late-unit', pid, `${(-forward(this.pcr, dts) / 90_000).toFixed(3)} s after its decoding time`);
    }
    if (state.dts !== null) {
      const step = forward(state.dts, dts) / 90_000;
      if (step <= 0) this.fault('dts-back', pid, `by ${(-step).toFixed(3)} s`);
      else if (step > this.limits.dtsJump) this.fault('dts-jump', pid, `by ${step.toFixed(3)} s`);
    }
    state.dts = dts;
  }

  private closePes(pid: number, state: PidState): void {
    const { pes } = state;
    state.pes = null;
    if (pes === null) return;
    if (pes.expected > 0 && pes.size !== pes.expected) this.fault('pes-length', pid, `${pes.size} bytes of ${pes.expected}`);
    if (pes.pts === null) return;
    const key = `${pes.pts}/${pes.hash}`;
    if (state.units.has(key)) this.fault('repeat', pid, `PTS ${pes.pts} again`);
    state.units.add(key);
    const [oldest] = state.units;
    if (state.units.size > REMEMBERED_UNITS) state.units.delete(oldest);
  }
}

/** Whether an H.264 picture starts here with its parameter sets. An access unit delimiter or SEI may come first, a picture may not. */
function beginsDecoding(payload: Buffer): boolean {
  for (let at = 9 + payload[8]; at + 3 < payload.length; at += 1) {
    if (payload[at] !== 0 || payload[at + 1] !== 0 || payload[at + 2] !== 1) continue;
    const type = payload[at + 3] & 31;
    if (type === 7 || type === 5) return true;
    if (type === 1) return false;
  }
  return false;
}

function grow(pes: { size: number; hash: number }, bytes: Buffer): void {
  pes.size += bytes.length;
  let hash = pes.hash;
  for (const byte of bytes) hash = (Math.imul(hash, 33) + byte) | 0;
  pes.hash = hash;
}

/** The signed difference of two times (90 kHz), modulo the wrap. */
function forward(from: number, to: number): number {
  const step = (((to - from) % WRAP) + WRAP) % WRAP;
  return step > WRAP / 2 ? step - WRAP : step;
}

function stamp(bytes: Buffer, at: number): number {
  return (bytes[at] & 0x0e) * 2 ** 29 + (bytes.readUInt16BE(at + 1) & 0xfffe) * 2 ** 14 + (bytes.readUInt16BE(at + 3) >> 1);
}

/** CRC-32/MPEG-2; 0 for a section with its CRC. */
export function sectionCrc(bytes: Buffer): number {
  let register = 0xffffffff;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      const carry = (register >>> 31) ^ ((byte >> bit) & 1);
      register = (register << 1) >>> 0;
      if (carry) register = (register ^ 0x04c11db7) >>> 0;
    }
  }
  return register;
}
