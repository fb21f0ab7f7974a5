import { describe, expect, it } from 'vitest';
import { LoopCache } from '../../apps/engine-simulator/src/media/broadcasts.js';
import { Timeline } from '../../apps/engine-simulator/src/media/timeline.js';
import { WatchedBroadcast, outputWithoutSwitch } from '../doubles/proxy/splice.fixture.js';
import { type TsRule, TsChecker, checkTs, sectionCrc } from './ts-checker.js';

const library = new LoopCache();
const START = 1_800_000_000_000;

/** `seconds` of a simulated broadcast, starting at a keyframe. */
function broadcast(seconds: number, bitrate = 3_500_000): Buffer {
  const timeline = new Timeline(library.loop(bitrate, 'picture'), '0'.repeat(40));
  const first = timeline.groupStart(Math.ceil(START / 1920));
  return timeline.read(first, Math.round((seconds * 1000 * timeline.bytesPerMs) / 188));
}

const clean = broadcast(24);
const rulesBroken = (bytes: Buffer): TsRule[] => [...new Set(checkTs(bytes).faults.map(({ rule }) => rule))].sort();
const pidAt = (bytes: Buffer, at: number): number => bytes.readUInt16BE(at + 1) & 0x1fff;

/** Offset of the first packet at or after `from` for which `is` returns true. */
function find(bytes: Buffer, from: number, is: (packet: Buffer) => boolean): number {
  for (let at = from; at < bytes.length; at += 188) if (is(bytes.subarray(at, at + 188))) return at;
  throw new Error('no such packet');
}

const MIDDLE = 188 * 20_000;
const isVideo = (packet: Buffer): boolean => pidAt(packet, 0) === 0x100 && (packet[3] & 0x10) > 0;
const startsUnit = (packet: Buffer): boolean => (packet[1] & 0x40) > 0;
const hasClock = (packet: Buffer): boolean => (packet[3] & 0x20) > 0 && packet[4] > 0 && (packet[5] & 0x10) > 0;
const isPmt = (packet: Buffer): boolean => pidAt(packet, 0) === 0x1000;

function damaged(change: (bytes: Buffer) => Buffer | void): Buffer {
  const copy = Buffer.from(clean);
  return change(copy) ?? copy;
}

describe('the checker', () => {
  it('reports no fault in a good stream', () => {
    const report = checkTs(clean);
    expect(report.faults).toEqual([]);
    expect(report.seconds).toBeGreaterThan(23.5);
    expect(report.units.get(0x100)).toBeGreaterThan(590);
  });

  it('gives the same result for a stream in parts as for the whole', () => {
    const checker = new TsChecker();
    const broken = damaged((bytes) => dropOf(bytes, 0x101));
    for (let at = 0; at < broken.length; at += 10_007) checker.push(broken.subarray(at, at + 10_007));
    expect(checker.end()).toEqual(checkTs(broken));
  });

  it('reports a viewer that does not start with PAT, PMT and a keyframe', () => {
    const startsBroken = (bytes: Buffer): boolean => checkTs(bytes, { fromJoin: true }).faults.some(({ rule }) => rule === 'start');
    expect(startsBroken(clean)).toBe(false);
    expect(startsBroken(clean.subarray(188))).toBe(true);
    const picture = find(clean, 188 * 40, (packet) => isVideo(packet) && startsUnit(packet));
    expect(startsBroken(Buffer.concat([clean.subarray(0, 2 * 188), clean.subarray(picture)]))).toBe(true);
    expect(startsBroken(Buffer.concat([clean.subarray(0, 2 * 188), clean.subarray(picture + 188)]))).toBe(true);
  });

  const seeded: [TsRule, (bytes: Buffer) => Buffer | void][] = [
    ['sync', (bytes) => void (bytes[MIDDLE] = 0x48)],
    [
      'continuity',
      (bytes) => Buffer.concat([bytes.subarray(0, find(bytes, MIDDLE, isVideo)), bytes.subarray(find(bytes, MIDDLE, isVideo) + 188)]),
    ],
    [
      'pcr-back',
      (bytes) => void bytes.writeUInt32BE(bytes.readUInt32BE(find(bytes, MIDDLE, hasClock) + 6) - 9_000, find(bytes, MIDDLE, hasClock) + 6),
    ],
    [
      'pcr-jump',
      (bytes) =>
        void bytes.writeUInt32BE(bytes.readUInt32BE(find(bytes, MIDDLE, hasClock) + 6) + 45_000, find(bytes, MIDDLE, hasClock) + 6),
    ],
    ['dts-back', (bytes) => swapUnits(bytes)],
    ['dts-jump', (bytes) => Buffer.concat([bytes.subarray(0, MIDDLE), bytes.subarray(MIDDLE + 188 * 3000)])],
    ['repeat', (bytes) => Buffer.concat([bytes.subarray(0, MIDDLE), bytes.subarray(MIDDLE - 188 * 900)])],
    ['pes-length', (bytes) => dropOf(bytes, 0x101)],
    ['crc', (bytes) => void (bytes[find(bytes, MIDDLE, isPmt) + 12] ^= 1)],
    [
      'late-unit',
      (bytes) =>
        void moveBack(
          bytes,
          find(bytes, MIDDLE, (packet) => isVideo(packet) && startsUnit(packet)),
        ),
    ],
    ['pmt-version', (bytes) => changeTable(bytes, find(bytes, MIDDLE, isPmt), 5, 2)],
    ['pmt-version', (bytes) => changeTable(bytes, find(bytes, MIDDLE, isPmt), 12, 1)],
    ['program', (bytes) => changeTable(bytes, find(bytes, MIDDLE, isPmt), 4, 1)],
    ['pat-late', (bytes) => withoutPid(bytes, 0, MIDDLE, MIDDLE + 188 * 1500)],
    ['pmt-late', (bytes) => withoutPid(bytes, 0x1000, MIDDLE, MIDDLE + 188 * 1500)],
  ];
  it.each(seeded)('reports a violation of %s', (rule, change) => {
    expect(rulesBroken(damaged(change))).toContain(rule);
  });
});

/** Shifts the times of a unit by two seconds: three bits of the PTS, and of the DTS if present. */
function moveBack(bytes: Buffer, at: number): void {
  const pes = bytes.indexOf(Buffer.from([0, 0, 1, 0xe0]), at);
  for (const stamp of (bytes[pes + 7] & 0x40) > 0 ? [9, 14] : [9]) {
    bytes.writeUInt16BE(bytes.readUInt16BE(pes + stamp + 1) - 2 * 6, pes + stamp + 1);
  }
}

/** Flips `bits` of byte `offset` of the section in the packet at `at` and updates its CRC. */
function changeTable(bytes: Buffer, at: number, offset: number, bits: number): void {
  const section = bytes.subarray(at + 5);
  section[offset] ^= bits;
  const end = 3 + (section.readUInt16BE(1) & 0xfff) - 4;
  section.writeUInt32BE(sectionCrc(section.subarray(0, end)), end);
}

/** Moves 2000 packets from the middle of the stream to its end. */
function swapUnits(bytes: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, MIDDLE), bytes.subarray(MIDDLE + 188 * 2000), bytes.subarray(MIDDLE, MIDDLE + 188 * 2000)]);
}

/** Removes one packet in the middle of a unit of `pid`. */
function dropOf(bytes: Buffer, pid: number): Buffer {
  const at = find(bytes, MIDDLE, (packet) => pidAt(packet, 0) === pid && !startsUnit(packet));
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 188)]);
}

function withoutPid(bytes: Buffer, pid: number, from: number, to: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 188) {
    if (at < from || at >= to || pidAt(bytes, at) !== pid) parts.push(bytes.subarray(at, at + 188));
  }
  return Buffer.concat(parts);
}

describe('the simulated broadcast, read from one engine after another', () => {
  const perSecond = clean.length / 24;
  const at = (seconds: number): number => Math.floor(seconds * perSecond);

  it('equals the stream of one engine byte for byte, also where its loop restarts', () => {
    const watched = new WatchedBroadcast();
    watched.feed(clean.subarray(0, at(6)), { size: 50_000 });
    const cuts = [8.3, 12.1, 12.4, 19.9, 24];
    cuts.forEach((until, index) => {
      const next = watched.switchTo(clean.subarray(at((cuts[index - 1] ?? 6) - 4.2), at(until)), { size: 50_000, ms: 1 });
      expect(next.kind).toBe('exact');
    });
    expect(watched.finish().equals(outputWithoutSwitch(clean))).toBe(true);
  });

  it('with a gap has no fault', () => {
    const watched = new WatchedBroadcast();
    watched.feed(clean.subarray(0, at(6.7)), { size: 50_000 });
    expect(watched.switchTo(clean.subarray(at(9.9)), { size: 50_000 }).kind).toBe('keyframe');
    const { faults } = checkTs(watched.finish());
    expect(faults.filter(({ rule }) => rule !== 'pes-length')).toEqual([]);
    expect(faults.length).toBeLessThanOrEqual(1);
  });

  it('with a hundred gaps has no fault', () => {
    const watched = new WatchedBroadcast();
    const long = broadcast(270, 500_000);
    const second = long.length / 270;
    watched.feed(long.subarray(0, Math.floor(second * 2.4)), { size: 20_000 });
    for (let round = 1; round <= 100; round += 1) {
      const from = Math.floor(second * (2.6 * round + ((round * 7) % 10) / 10));
      const next = watched.switchTo(long.subarray(from, from + Math.floor(second * 4.5)), { size: 20_000, ms: 0 });
      expect([round, next.state]).toEqual([round, 'spliced']);
    }
    const { faults } = checkTs(watched.finish());
    expect(faults.filter(({ rule }) => rule !== 'pes-length')).toEqual([]);
    expect(faults.length).toBeLessThanOrEqual(100);
  });
});
