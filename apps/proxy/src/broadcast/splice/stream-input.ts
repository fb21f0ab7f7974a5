/** The input of a stream: takes the bytes of the current source and switches to another source on demand. */
import { PacketAligner } from '@acexy/mpegts';
import type { Clock } from '@acexy/service-kit/primitives';
import type { StreamBuffer } from '../buffer/stream-buffer.js';
import { DiscontinuityGuard } from './discontinuity-guard.js';
import { type PacketSource, SourceSwitch, type SpliceKind, type SwitchHost } from './source-switch.js';

export class StreamInput implements SwitchHost {
  readonly guard = new DiscontinuityGuard(this);
  readonly splices: Record<SpliceKind, number> = { exact: 0, renumbered: 0, keyframe: 0 };
  source: PacketSource = { aligner: new PacketAligner(), splice: null };
  /** Bytes of the current sources so far. */
  bytesIn = 0;
  /** Milliseconds of the clock; null before the first byte. */
  lastByteAt: number | null = null;
  /** Packets are being added. */
  taking = false;
  #switch: SourceSwitch | null = null;
  #ended = false;
  readonly #onPackets = (buffer: Buffer, from: number, to: number): void => this.guard.take(buffer, from, to);

  /** `afterTaking` is called when packets may have been added to `buffer`. */
  constructor(
    readonly buffer: StreamBuffer,
    readonly clock: Clock,
    private readonly afterTaking: () => void,
  ) {}

  get switching(): boolean {
    return this.#switch?.state === 'searching';
  }

  write(bytes: Buffer): void {
    if (this.#ended || bytes.length === 0) return;
    this.bytesIn += bytes.length;
    this.lastByteAt = this.clock.now();
    const { aligner } = this.source;
    this.whileTaking(() => aligner.push(bytes, this.#onPackets));
  }

  /** Replaces a switch that is running. */
  beginSwitch(): SourceSwitch {
    this.#switch?.abort();
    this.#switch = new SourceSwitch(this);
    if (this.#ended) this.#switch.abort();
    this.guard.stopRejoining();
    return this.#switch;
  }

  /** Adds the packets that are still held. Nothing is taken afterwards. */
  end(): void {
    this.#switch?.abort();
    this.source.aligner.flush(this.#onPackets);
    this.guard.stopRejoining();
    this.#ended = true;
  }

  addPackets(buffer: Buffer, from: number, to: number): void {
    const { splice } = this.source;
    if (splice === null) {
      this.buffer.take(buffer, from, to);
      return;
    }
    const wasComplete = splice.complete;
    splice.take(buffer, from, to, (bytes, first, end) => this.buffer.take(bytes, first, end));
    // Packets were dropped or changed before, so the stream cannot be compared with the source there.
    if (!wasComplete && splice.complete) this.buffer.index.anchors.clear();
  }

  whileTaking(work: () => void): void {
    this.taking = true;
    try {
      work();
    } finally {
      this.taking = false;
      this.afterTaking();
    }
  }

  adopt(kind: SpliceKind, next: PacketSource, by: SourceSwitch): void {
    this.splices[kind] += 1;
    if (kind === 'keyframe') this.buffer.ring.addDiscontinuity(this.buffer.endPosition);
    this.source = next;
    this.lastByteAt = this.clock.now();
    if (by === this.#switch) this.guard.reset();
  }
}
