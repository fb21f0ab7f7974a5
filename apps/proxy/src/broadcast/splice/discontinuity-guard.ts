/**
 * Stands before the stream and watches the clock of its source. Where that leaps, what follows is treated as a source of its own: if it is what was
 * sent before, nothing of it is sent until it goes on from the stream's end; if it is something else, it is entered at a keyframe on the stream's
 * clock. Players freeze for the length of a leap that they are shown (VLC up to 55 s).
 */
import { NONE, NULL_PID, PACKET_SIZE } from '@acexy/mpegts';
import { PcrDiscontinuityDetector } from '../../../../../libs/mpegts/src/pcr-discontinuity.js';
import { SourceSwitch, type SwitchHost, takeFrom } from './source-switch.js';

export interface GuardedHost extends SwitchHost {
  /** Another source is being looked at, which is to carry the stream on. */
  readonly switching: boolean;
}

export class DiscontinuityGuard {
  #detector = new PcrDiscontinuityDetector();
  /** The source itself after a leap, while its place in the stream is looked for. */
  #return: SourceSwitch | null = null;
  /** It has leapt, but another source is to carry on: what still comes belongs nowhere. */
  #muted = false;
  #heldBytes = 0;
  #leaps = 0;

  constructor(private readonly host: GuardedHost) {}

  /** Bytes that have come since the leap and were not sent. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Leaps so far, of all sources. */
  get leaps(): number {
    return this.#leaps;
  }

  /** Clock references since the leap that the stream has had before, in a row. */
  get repeats(): number {
    return this.#return?.repeats ?? 0;
  }

  /** Another source is being looked at: one that has leapt is not waited for meanwhile. */
  giveWay(): void {
    if (this.#return === null) return;
    this.#return.abort();
    this.#return = null;
    this.#muted = true;
  }

  /** Another source feeds the stream now. */
  reset(): void {
    this.#return?.abort();
    this.#return = null;
    this.#detector = new PcrDiscontinuityDetector();
    this.#muted = false;
    this.#heldBytes = 0;
  }

  /** Takes the whole packets in `buffer[from, to)` of the stream's source; good only during the call. */
  take(buffer: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to) {
      const leap = this.#detector.find(buffer, at, to, this.#clockPid, this.host.buffer.ring.bitrate);
      const end = leap === NONE ? to : leap;
      if (end > at) this.#pass(buffer, at, end);
      if (leap === NONE) return;
      this.#onLeap();
      this.#pass(buffer, leap, (at = leap + PACKET_SIZE));
    }
  }

  get #clockPid(): number {
    const { source, buffer } = this.host;
    return (source.splice?.program ?? buffer.index.program)?.pmt.pcrPid ?? NULL_PID;
  }

  #onLeap(): void {
    this.#leaps += 1;
    const { buffer } = this.host;
    // Somewhere between the last reference and this one the leap was.
    if (this.#return === null && !this.#muted) buffer.trimTo(buffer.index.clockPosition + PACKET_SIZE);
    this.#return?.abort();
    this.#return = null;
    this.#muted = true;
  }

  #pass(buffer: Buffer, from: number, to: number): void {
    if (this.#muted && !this.host.switching) {
      this.#muted = false;
      this.#return = new SourceSwitch(this.host, this.host.source.aligner);
    }
    if (this.#return === null && !this.#muted) {
      takeFrom(this.host.source, this.host.buffer, buffer, from, to);
      return;
    }
    this.#heldBytes += to - from;
    this.#return?.take(buffer, from, to);
    if (this.#return?.state === 'spliced') {
      this.#return = null;
      this.#heldBytes = 0;
    }
  }
}
