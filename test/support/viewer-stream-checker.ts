/** Checks one viewer's stream while it arrives: with the independent checker, by the simulator's markers, and by the time without bytes. */
import { parseMarker } from '../../apps/engine-simulator/src/media/marker.js';
import { TsChecker, type TsLimits, type TsReport } from './ts-checker.js';

const PACKET = 188;
const NULL_PID = 0x1fff;
/** Silence after which the proxy may send the first null packet, ms. */
const FIRST_FILLER_MS = 900;
/** The proxy sends at most one null packet in this time, ms. */
const FILLER_MS = 250;

export interface Break {
  /** Tenths of a second of the content. */
  readonly from: number;
  readonly to: number;
}

export interface ViewerStreamReport {
  readonly ts: TsReport;
  /** Number of markers. */
  readonly markers: number;
  /** Places where the next marker is not consecutive: a gap if `to` is greater than `from` + 1, else a repeat. */
  readonly breaks: readonly Break[];
  /** Longest time without a byte of media, seconds. */
  readonly longestSilence: number;
  /** Descriptions of waits with more than one null packet in 250 ms. */
  readonly earlyNullPackets: readonly string[];
}

export class ViewerStreamChecker {
  private readonly checker: TsChecker;
  private readonly breaks: Break[] = [];
  private readonly earlyNullPackets: string[] = [];
  private markers = 0;
  private last: number | null = null;
  private dataAt: number;
  private fillers = 0;
  private longestSilence = 0;
  private rest: Buffer = Buffer.alloc(0);

  /** @param clock monotonic milliseconds */
  constructor(
    limits: TsLimits = {},
    private readonly clock: () => number = () => performance.now(),
  ) {
    this.checker = new TsChecker(limits);
    this.dataAt = clock();
  }

  push(chunk: Buffer): void {
    this.checker.push(chunk);
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    let at = 0;
    let fillers = 0;
    for (; at + PACKET <= bytes.length; at += PACKET) {
      if ((bytes.readUInt16BE(at + 1) & 0x1fff) === NULL_PID) fillers += 1;
      const marker = parseMarker(bytes, at);
      if (marker !== null) this.follow(marker.sequence);
    }
    // The broadcast contains null packets too. Only a null packet that arrives alone may be the proxy's.
    if (at === PACKET && fillers === 1) this.fillers += 1;
    else if (at > 0) this.mediaArrived();
    this.rest = Buffer.from(bytes.subarray(at));
  }

  verdict(): ViewerStreamReport {
    const { markers, breaks, earlyNullPackets } = this;
    const longestSilence = Math.max(this.longestSilence, this.clock() - this.dataAt) / 1000;
    return { ts: this.checker.report(), markers, breaks: [...breaks], longestSilence, earlyNullPackets: [...earlyNullPackets] };
  }

  /** Seconds since the last byte of media. */
  get silentFor(): number {
    return (this.clock() - this.dataAt) / 1000;
  }

  /** Longest silence since the last call, seconds. */
  takeSilence(): number {
    const { longestSilence } = this.verdict();
    this.longestSilence = 0;
    return longestSilence;
  }

  private follow(sequence: number): void {
    if (this.last !== null && sequence !== this.last + 1) this.breaks.push({ from: this.last, to: sequence });
    this.last = sequence;
    this.markers += 1;
  }

  private mediaArrived(): void {
    const now = this.clock();
    const silentMs = now - this.dataAt;
    const allowed = 1 + Math.ceil((silentMs - FIRST_FILLER_MS) / FILLER_MS);
    if (silentMs > FIRST_FILLER_MS && this.fillers > allowed)
      this.earlyNullPackets.push(`${this.fillers} null packets in ${Math.round(silentMs)} ms`);
    this.fillers = 0;
    this.longestSilence = Math.max(this.longestSilence, silentMs);
    this.dataAt = now;
  }
}
