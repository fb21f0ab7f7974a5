/**
 * Turns bytes in any chunking into whole transport packets of 188 bytes. Detects strides of 188, 192 (BDAV: four bytes of time code before
 * each packet) and 204 (sixteen bytes of Reed-Solomon parity after each).
 */
import { PACKET_SIZE, SYNC_BYTE } from './packet.js';

/**
 * Takes a run of whole packets: `buffer[from, to)`, a multiple of 188 bytes. The buffer is the caller's chunk or the aligner's scratch memory, so
 * it is only valid during the call.
 */
export type PacketRunListener = (buffer: Buffer, from: number, to: number) => void;

const STRIDES = [PACKET_SIZE, 192, 204] as const;
const MAX_STRIDE = 204;
/** Sync bytes required at one stride. Random data passes with a probability of ~187·2⁻⁴⁰; three never locked wrongly on coded video. */
const LOCK_PACKETS = 5;
/** Enough at the end of the stream, where no more bytes follow: three never locked wrongly in 20,000 tries. */
const FINAL_LOCK_PACKETS = 3;
const HUNTING = 0;

/** Aligned input is passed on without a copy; only a packet that straddles two chunks is copied. */
export class PacketAligner {
  /** Distance of sync bytes while locked, else 0. */
  #stride: number = HUNTING;
  /** While locked: the start of an incomplete packet. While hunting: bytes that may still turn out to be packets. */
  readonly #carry = Buffer.alloc(LOCK_PACKETS * MAX_STRIDE);
  #carried = 0;
  /** Bytes between two packets (strides above 188) that are still to be skipped. */
  #gap = 0;
  /** How often a sync byte was missing where one was expected. */
  losses = 0;
  /** Bytes dropped since the lock was lost; 0 while locked. Above 64 kB a source counts as corrupt. */
  bytesWithoutLock = 0;

  /** Bytes in which no packets were found so far, including those that are still held; 0 while locked. */
  get unlockedBytes(): number {
    return this.#stride === HUNTING ? this.bytesWithoutLock + this.#carried : 0;
  }

  push(chunk: Buffer, onRun: PacketRunListener): void {
    let bytes = chunk;
    let at = 0;
    while (true) {
      if (this.#stride === HUNTING) {
        if (this.#carried > 0) {
          bytes = Buffer.concat([this.#carry.subarray(0, this.#carried), bytes.subarray(at)]);
          at = 0;
          this.#carried = 0;
        }
        at = this.#hunt(bytes, at, LOCK_PACKETS);
        if (this.#stride === HUNTING) {
          this.#keep(bytes, at);
          return;
        }
      }
      at = this.#take(bytes, at, onRun);
      if (this.#stride !== HUNTING) return;
    }
  }

  /** The stream has ended: passes on the whole packets that are still held and drops the rest. */
  flush(onRun: PacketRunListener): void {
    if (this.#stride === HUNTING && this.#carried > 0) {
      const rest = Buffer.from(this.#carry.subarray(0, this.#carried));
      this.#carried = 0;
      const at = this.#hunt(rest, 0, FINAL_LOCK_PACKETS);
      if (this.#stride !== HUNTING) this.#take(rest, at, onRun);
    }
    this.#carried = 0;
    this.#gap = 0;
    this.#stride = HUNTING;
  }

  /** Returns the first offset with enough sync bytes. If more bytes are needed to decide, returns the offset to continue from. */
  #hunt(bytes: Buffer, from: number, packets: number): number {
    let at = bytes.indexOf(SYNC_BYTE, from);
    for (; at >= 0; at = bytes.indexOf(SYNC_BYTE, at + 1)) {
      for (const stride of STRIDES) {
        const verdict = syncBytesAt(bytes, at, stride, packets);
        if (verdict === 'too-short') {
          this.bytesWithoutLock += at - from;
          return at;
        }
        if (verdict === 'found') {
          this.bytesWithoutLock = 0;
          this.#stride = stride;
          return at;
        }
      }
    }
    this.bytesWithoutLock += bytes.length - from;
    return bytes.length;
  }

  /** Locked: passes on whole packets. Returns the end of `bytes`, or the offset of a bad sync byte, where the lock is lost. */
  #take(bytes: Buffer, from: number, onRun: PacketRunListener): number {
    let at = from;
    if (this.#carried > 0) {
      const wanted = PACKET_SIZE - this.#carried;
      if (bytes.length - at < wanted) {
        this.#keep(bytes, at);
        return bytes.length;
      }
      bytes.copy(this.#carry, this.#carried, at, at + wanted);
      this.#carried = 0;
      this.#gap = this.#stride - PACKET_SIZE;
      at += wanted;
      onRun(this.#carry, 0, PACKET_SIZE);
    }
    at += this.#gap;
    const runFrom = at;
    while (at < bytes.length) {
      if (bytes[at] !== SYNC_BYTE) {
        if (at > runFrom && this.#stride === PACKET_SIZE) onRun(bytes, runFrom, at);
        this.#stride = HUNTING;
        this.#gap = 0;
        this.losses += 1;
        return at;
      }
      if (at + PACKET_SIZE > bytes.length) break;
      if (this.#stride !== PACKET_SIZE) onRun(bytes, at, at + PACKET_SIZE);
      at += this.#stride;
    }
    if (at > runFrom && this.#stride === PACKET_SIZE) onRun(bytes, runFrom, at);
    this.#gap = Math.max(0, at - bytes.length);
    if (at < bytes.length) this.#keep(bytes, at);
    return bytes.length;
  }

  #keep(bytes: Buffer, from: number): void {
    this.#carried += bytes.copy(this.#carry, this.#carried, from);
  }
}

function syncBytesAt(bytes: Buffer, at: number, stride: number, packets: number): 'found' | 'no' | 'too-short' {
  for (let count = 1; count < packets; count += 1) {
    const next = at + count * stride;
    if (next >= bytes.length) return 'too-short';
    if (bytes[next] !== SYNC_BYTE) return 'no';
  }
  return 'found';
}
