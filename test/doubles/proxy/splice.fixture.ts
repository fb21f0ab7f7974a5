/** Shared by the splice tests: a viewer that watches during a switch, and variants of a stream as other engines may deliver them. */
import {
  PACKET_SIZE,
  continuityCounter,
  dtsOffset,
  pesOffset,
  pidOf,
  ptsOffset,
  readPcr,
  readTimestamp,
  setContinuityCounter,
  writePcr,
  writeTimestamp,
} from '@acexy/mpegts';
import {
  Broadcast,
  type BroadcastSettings,
  DEFAULT_BROADCAST_SETTINGS,
  type SourceSwitch,
} from '../../../apps/proxy/src/broadcast/broadcast.js';
import { FakeClock } from '../fake-clock.js';
import { FakeSink, RecordingHooks } from './broadcast.fixture.js';

const NULL_PID = 0x1fff;

/** `bytes` in parts of `size`. */
export function split(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
}

/** Overwrites the bytes after the call, because they are only valid during it. */
function writeLent(bytes: Buffer, to: { write(bytes: Buffer): void }): void {
  const lent = Buffer.from(bytes);
  to.write(lent);
  lent.fill(0xee);
}

/** A broadcast with one viewer from its start to its end. */
export class WatchedBroadcast {
  readonly clock = new FakeClock();
  readonly broadcast: Broadcast;
  readonly sink = new FakeSink();
  readonly hooks = new RecordingHooks();

  constructor(settings: Partial<BroadcastSettings> = {}) {
    this.broadcast = new Broadcast({ ...DEFAULT_BROADCAST_SETTINGS, joinMode: 'oldest', ...settings }, this.clock);
    this.broadcast.addViewer(this.sink, this.hooks);
  }

  /** Writes bytes in parts of `size`, `ms` apart. */
  feed(bytes: Buffer, { size = 10_000, ms = 40 } = {}): void {
    for (const part of split(bytes, size)) {
      writeLent(part, this.broadcast);
      this.clock.advance(ms);
    }
  }

  /** Writes these bytes as a second source, faster than real time, and after the splice as the current one. */
  switchTo(bytes: Buffer, { size = 10_000, ms = 10 } = {}): SourceSwitch {
    const next = this.broadcast.beginSwitch();
    for (const part of split(bytes, size)) {
      writeLent(part, next.state === 'spliced' ? this.broadcast : next);
      this.clock.advance(ms);
    }
    return next;
  }

  /** Ends the stream and returns everything that the viewer got. */
  finish(): Buffer {
    this.broadcast.end();
    return this.sink.bytes;
  }
}

/** What a viewer gets of a stream without a switch. */
export function outputWithoutSwitch(bytes: Buffer, settings: Partial<BroadcastSettings> = {}): Buffer {
  const watched = new WatchedBroadcast(settings);
  watched.feed(bytes);
  return watched.finish();
}

/** Another multiplexer's counters: each PID is shifted by another amount. */
export function withOtherCounters(bytes: Buffer, seed: number): Buffer {
  const copy = Buffer.from(bytes);
  for (let at = 0; at < copy.length; at += PACKET_SIZE) {
    const pid = pidOf(copy, at);
    if (pid !== NULL_PID) setContinuityCounter(copy, at, continuityCounter(copy, at) + 1 + ((pid * 7 + seed) % 15));
  }
  return copy;
}

/** Without the null packets for which `removes` returns true. */
export function withoutNulls(bytes: Buffer, removes: (index: number) => boolean = () => true): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; at += PACKET_SIZE) {
    if (pidOf(bytes, at) === NULL_PID && removes(index++)) continue;
    kept.push(bytes.subarray(at, at + PACKET_SIZE));
  }
  return Buffer.concat(kept);
}

/** All clocks shifted by `ticks` of 90 kHz. */
export function withOtherClock(bytes: Buffer, ticks: number): Buffer {
  const copy = Buffer.from(bytes);
  const wrap = 2 ** 33;
  const shifted = (time: number): number => (((time + ticks) % wrap) + wrap) % wrap;
  for (let at = 0; at < copy.length; at += PACKET_SIZE) {
    const pcr = readPcr(copy, at);
    if (pcr >= 0) writePcr(copy, at, shifted(Math.floor(pcr / 300)) * 300 + (pcr % 300));
    const pes = pesOffset(copy, at);
    if (pes < 0) continue;
    for (const offset of [ptsOffset(copy, pes, at + PACKET_SIZE), dtsOffset(copy, pes, at + PACKET_SIZE)]) {
      if (offset >= 0) writeTimestamp(copy, offset, shifted(readTimestamp(copy, offset)));
    }
  }
  return copy;
}

/** With `countAfter` null packets after each packet. */
export function withNulls(bytes: Buffer, countAfter: (packet: number) => number): Buffer {
  const filler = Buffer.alloc(PACKET_SIZE, 0xff);
  filler.set([0x47, 0x1f, 0xff, 0x10]);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += PACKET_SIZE) {
    parts.push(bytes.subarray(at, at + PACKET_SIZE));
    for (let count = countAfter(at / PACKET_SIZE); count > 0; count -= 1) parts.push(filler);
  }
  return Buffer.concat(parts);
}
