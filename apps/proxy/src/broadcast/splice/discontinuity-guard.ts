/**
 * Watches the PCR of the current source. After a discontinuity the rest of the source is treated like another source: if it repeats what was sent,
 * nothing is sent until it reaches the end of the stream; otherwise it is entered at a keyframe and re-stamped. A player that is shown the
 * discontinuity freezes for its whole length (VLC: up to 55 s).
 */
import { NONE, NULL_PID, PACKET_SIZE, PcrDiscontinuityDetector } from '@acexy/mpegts';
import { SourceSwitch, type SwitchHost } from './source-switch.js';

export class DiscontinuityGuard {
  #detector = new PcrDiscontinuityDetector();
  /** Finds the position of the source in the stream again. */
  #rejoin: SourceSwitch | null = null;
  /** The source had a discontinuity and a switch to another source is running: its bytes are dropped. */
  #muted = false;
  /** Bytes since the discontinuity that were not sent. */
  heldBytes = 0;

  constructor(private readonly host: SwitchHost) {}

  /** How many of the last PCRs in a row the stream already has. */
  get repeats(): number {
    return this.#rejoin?.repeats ?? 0;
  }

  /** A switch to another source starts or the stream ends: stops rejoining. */
  stopRejoining(): void {
    if (this.#rejoin === null) return;
    this.#rejoin.abort();
    this.#rejoin = null;
    this.#muted = true;
  }

  /** Another source feeds the stream now. */
  reset(): void {
    this.#rejoin?.abort();
    this.#rejoin = null;
    this.#detector = new PcrDiscontinuityDetector();
    this.#muted = false;
    this.heldBytes = 0;
  }

  /** Takes the whole packets in `buffer[from, to)` of the current source, which are only valid during the call. */
  take(buffer: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to) {
      const found = this.#detector.find(buffer, at, to, this.#pcrPid, this.host.buffer.ring.bitrate);
      const end = found === NONE ? to : found;
      if (end > at) this.#pass(buffer, at, end);
      if (found === NONE) return;
      this.#onDiscontinuity();
      this.#pass(buffer, found, (at = found + PACKET_SIZE));
    }
  }

  get #pcrPid(): number {
    const { source, buffer } = this.host;
    return (source.splice?.program ?? buffer.index.program)?.pmt.pcrPid ?? NULL_PID;
  }

  #onDiscontinuity(): void {
    const { buffer } = this.host;
    // The discontinuity may be anywhere between the last PCR and this one.
    if (this.#rejoin === null && !this.#muted) buffer.trimTo(buffer.index.pcrPosition + PACKET_SIZE);
    this.#rejoin?.abort();
    this.#rejoin = null;
    this.#muted = true;
  }

  #pass(buffer: Buffer, from: number, to: number): void {
    if (this.#muted && !this.host.switching) {
      this.#muted = false;
      this.#rejoin = new SourceSwitch(this.host, this.host.source.aligner);
    }
    if (this.#rejoin === null && !this.#muted) {
      this.host.addPackets(buffer, from, to);
      return;
    }
    this.heldBytes += to - from;
    this.#rejoin?.take(buffer, from, to);
    if (this.#rejoin?.state === 'spliced') {
      this.#rejoin = null;
      this.heldBytes = 0;
    }
  }
}
