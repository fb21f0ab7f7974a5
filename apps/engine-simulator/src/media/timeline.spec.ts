import {
  NONE,
  NULL_PID,
  PACKET_SIZE,
  PAT_PID,
  SYNC_BYTE,
  WRAP_27M,
  WRAP_90K,
  continuityCounter,
  distance,
  dtsOffset,
  hasPayload,
  parsePat,
  parsePmt,
  pesOffset,
  pidOf,
  ptsOffset,
  randomAccessIndicator,
  readPcr,
  readTimestamp,
} from '@acexy/mpegts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LoopCache } from './broadcasts.js';
import { AUDIO_PID, GROUP_MS, LOOP_MS, PMT_PID, VIDEO_PID } from './layout.js';
import { parseMarker } from './marker.js';
import { Timeline } from './timeline.js';

const INFOHASH = 'ab'.repeat(20);
const NOW = Date.UTC(2026, 5, 1);
const library = new LoopCache();
const broadcast = (bitrate = 3_500_000, infohash = INFOHASH) => new Timeline(library.loop(bitrate, 'picture'), infohash);

/** Packets of `ms` from `from` on. */
function piece(timeline: Timeline, from: number, ms: number): Buffer {
  const first = timeline.packetAt(from);
  return timeline.read(first, timeline.packetAt(from + ms) - first);
}

function* packetsOf(bytes: Buffer): Generator<{ at: number; pid: number }> {
  for (let at = 0; at < bytes.length; at += PACKET_SIZE) yield { at, pid: pidOf(bytes, at) };
}

describe('timeline of a content', () => {
  it('is the same on every engine, in pieces of any size', () => {
    const one = broadcast();
    const other = new Timeline(new LoopCache().loop(3_500_000, 'picture'), INFOHASH);
    const from = one.packetAt(NOW);
    const whole = one.read(from, 60_000);
    let at = 0;
    for (const size of [1, 7, 1000, 44_681, 14_311]) {
      expect(other.read(from + at, size).equals(whole.subarray(at * PACKET_SIZE, (at + size) * PACKET_SIZE))).toBe(true);
      at += size;
    }
    expect(at).toBe(60_000);
  });

  it('differs between contents only in the markers', () => {
    const [one, other] = [INFOHASH, 'cd'.repeat(20)].map((infohash) => piece(broadcast(3_500_000, infohash), NOW, 2000));
    for (const { at } of packetsOf(one)) {
      const isMarker = parseMarker(one, at) !== null;
      expect(one.subarray(at, at + PACKET_SIZE).equals(other.subarray(at, at + PACKET_SIZE))).toBe(!isMarker);
    }
  });

  it('converts between packets and times', () => {
    const timeline = broadcast();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 42 }), (time) => {
        const n = timeline.packetAt(time);
        expect(timeline.timeOf(n)).toBeLessThanOrEqual(time);
        expect(timeline.timeOf(n + 1)).toBeGreaterThan(time - 0.01);
      }),
    );
  });

  it('has about the requested rate', () => {
    for (const rate of [500_000, 3_500_000, 8_000_000]) expect((broadcast(rate).bytesPerMs * 8000) / rate).toBeCloseTo(1, 3);
  });
});

describe.each([500_000, 3_500_000, 8_000_000])('broadcast of %i bit/s', (bitrate) => {
  const timeline = broadcast(bitrate);
  // Three loops, so two loop boundaries.
  const bytes = piece(timeline, NOW + 5000, 3 * LOOP_MS);

  it('has complete packets with continuous counters', () => {
    const last = new Map<number, number>();
    const breaks: number[] = [];
    for (const { at, pid } of packetsOf(bytes)) {
      if (bytes[at] !== SYNC_BYTE) breaks.push(at);
      if (pid === NULL_PID) continue;
      const before = last.get(pid);
      const counter = continuityCounter(bytes, at);
      if (before !== undefined && counter !== ((before + (hasPayload(bytes, at) ? 1 : 0)) & 15)) breaks.push(at);
      last.set(pid, counter);
    }
    expect(breaks).toEqual([]);
    expect([...last.keys()].sort((a, b) => a - b)).toEqual([PAT_PID, VIDEO_PID, AUDIO_PID, PMT_PID, 0x1ff0]);
  });

  it('has an exact clock at least every 40 ms', () => {
    let last: { pcr: number; at: number } | null = null;
    for (const { at } of packetsOf(bytes)) {
      const pcr = readPcr(bytes, at);
      if (pcr === NONE) continue;
      if (last) {
        const ticks = distance(last.pcr, pcr, WRAP_27M);
        expect(ticks).toBeLessThanOrEqual(0.04 * 27e6);
        expect(Math.abs(ticks - ((at - last.at) / timeline.bytesPerMs) * 27_000)).toBeLessThanOrEqual(1);
      }
      last = { pcr, at };
    }
    expect(last).not.toBeNull();
  });

  it('repeats its tables at least every 100 ms', () => {
    for (const wanted of [PAT_PID, PMT_PID]) {
      const places = [...packetsOf(bytes)].filter(({ pid }) => pid === wanted).map(({ at }) => at);
      const gaps = places.slice(1).map((at, index) => (at - places[index]) / timeline.bytesPerMs);
      expect(Math.max(...gaps)).toBeLessThanOrEqual(100);
    }
  });

  it('has steady video and audio timestamps ahead of the clock, also at loop boundaries', () => {
    const lastStamp = new Map<number, number>();
    let clock = NONE;
    let units = 0;
    for (const { at, pid } of packetsOf(bytes)) {
      const pcr = readPcr(bytes, at);
      if (pcr !== NONE) clock = Math.floor(pcr / 300);
      const pes = pesOffset(bytes, at);
      if (pes === NONE || clock === NONE) continue;
      units += 1;
      const end = at + PACKET_SIZE;
      const pts = readTimestamp(bytes, ptsOffset(bytes, pes, end));
      const dtsAt = dtsOffset(bytes, pes, end);
      const dts = dtsAt === NONE ? pts : readTimestamp(bytes, dtsAt);
      expect(distance(dts, pts, WRAP_90K)).toBeGreaterThanOrEqual(0);
      expect(distance(clock, dts, WRAP_90K)).toBeGreaterThan(0.1 * 90_000);
      expect(distance(clock, dts, WRAP_90K)).toBeLessThan(90_000);
      const before = lastStamp.get(pid);
      if (before !== undefined) expect(distance(before, dts, WRAP_90K)).toBe(pid === VIDEO_PID ? 3600 : 9600);
      lastStamp.set(pid, dts);
    }
    expect(units).toBeGreaterThan(3 * (480 + 180) - 20);
  });

  it('begins every group of pictures with PAT, PMT and a keyframe, and ends it with complete PES packets', () => {
    const group = Math.ceil((NOW + 1) / GROUP_MS);
    for (let index = group; index < group + 11; index += 1) {
      const from = timeline.groupStart(index);
      const packets = timeline.read(from, timeline.groupStart(index + 1) - from);
      const media = [...packetsOf(packets)].filter(({ pid }) => pid === VIDEO_PID || pid === AUDIO_PID);
      expect(parsePat(packets.subarray(5, 5 + 16))?.pmtPid).toBe(PMT_PID);
      const pmt = PACKET_SIZE + 5;
      expect(parsePmt(packets.subarray(pmt, pmt + 3 + packets[pmt + 2]))?.streams.map(({ pid }) => pid)).toEqual([VIDEO_PID, AUDIO_PID]);
      expect(media[0].pid).toBe(VIDEO_PID);
      expect(randomAccessIndicator(packets, media[0].at)).toBe(true);
      for (const pid of [VIDEO_PID, AUDIO_PID]) {
        const first = media.find((packet) => packet.pid === pid)!;
        expect(pesOffset(packets, first.at)).not.toBe(NONE);
      }
    }
  });

  it('numbers its markers, each with its media time', () => {
    const markers = [...packetsOf(bytes)].map(({ at }) => ({ at, marker: parseMarker(bytes, at) })).filter(({ marker }) => marker !== null);
    expect(markers.length).toBeGreaterThanOrEqual(575);
    markers.forEach(({ marker, at }, index) => {
      expect(marker).toMatchObject({ infohash: INFOHASH, engine: null, sequence: markers[0].marker!.sequence + index });
      const sentAt = timeline.timeOf(timeline.packetAt(NOW + 5000) + at / PACKET_SIZE);
      expect(sentAt - marker!.mediaTime).toBeGreaterThan(-4);
      expect(sentAt - marker!.mediaTime).toBeLessThan(15);
    });
  });
});

describe('clocks far from the epoch', () => {
  it('wrap at 33 bits as in the standard', () => {
    const timeline = broadcast();
    // The loop during which the 90 kHz clock passes 2^33 for the first time.
    const wrapTime = (WRAP_90K / 90_000) * 1000;
    const bytes = piece(timeline, wrapTime - 2000, 4000);
    const clocks = [...packetsOf(bytes)].map(({ at }) => readPcr(bytes, at)).filter((pcr) => pcr !== NONE);
    expect(Math.max(...clocks)).toBeGreaterThan(WRAP_27M - 27e6);
    expect(Math.min(...clocks)).toBeLessThan(27e6);
    clocks.slice(1).forEach((pcr, index) => expect(distance(clocks[index], pcr, WRAP_27M)).toBeGreaterThan(0));
  });
});

describe('markers', () => {
  it('contain engine and session in the engine form', () => {
    const timeline = new Timeline(library.loop(500_000, 'picture'), INFOHASH, 'engine');
    const mark = { engineId: 'engine-7', sessionId: '12'.repeat(20), wallClock: NOW };
    const from = timeline.packetAt(NOW);
    const bytes = timeline.read(from, 400, mark);
    const marker = [...packetsOf(bytes)].map(({ at }) => parseMarker(bytes, at)).find((found) => found !== null);
    expect(marker?.engine).toEqual(mark);
  });

  it('can be turned off', () => {
    const timeline = new Timeline(library.loop(500_000, 'picture'), INFOHASH, 'off');
    const bytes = piece(timeline, NOW, 1000);
    expect([...packetsOf(bytes)].some(({ at }) => parseMarker(bytes, at) !== null)).toBe(false);
  });

  it('are the only packets of a scale test besides nulls', () => {
    const bytes = piece(new Timeline(library.loop(8_000_000, 'scale'), INFOHASH), NOW, 1000);
    expect(new Set([...packetsOf(bytes)].map(({ pid }) => pid))).toEqual(new Set([NULL_PID, 0x1ff0]));
  });
});

describe('rates', () => {
  it('below the minimum of the small picture are raised to it', () => {
    expect(library.loop(1000, 'picture')).toBe(library.loop(480_000, 'picture'));
  });
});
