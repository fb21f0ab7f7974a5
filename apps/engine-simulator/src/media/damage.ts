/** Damages a part of the transport stream for one reader. Which packets are damaged depends on their number alone. */
import {
  CLOCK_90K,
  NULL_PACKET,
  PACKET_SIZE,
  PAT_PID,
  WRAP_27M,
  continuityCounter,
  pidOf,
  readPcr,
  setContinuityCounter,
  wrapped,
  writePcr,
  NONE,
} from '@acexy/mpegts';
import type { SimulatorSettings } from '../faults/simulator-settings.js';
import { pseudoRandom } from '../pseudo-random.js';
import { AUDIO_PID, VIDEO_PID } from './layout.js';
import { shiftTimestamps } from './timeline.js';

const GARBAGE_BYTES = 100;
/** Smallest number of packets between two pieces of garbage, so that a reader can find the packets between them. */
const GARBAGE_SPACING = 16;
const MILLION = 1_000_000;

function isHit(n: number, ppm: number, salt: number): boolean {
  return ppm > 0 && pseudoRandom(n * 7 + salt) * MILLION < ppm;
}

/** Reads PIDs such as "0x101,256"; a word that is no number matches no packet. */
function pidsOf(text: string): Set<number> {
  return new Set(text.split(',').map((pid) => Number(pid.trim())));
}

function isUndamaged(settings: SimulatorSettings): boolean {
  return (
    settings.dropPpm === 0 &&
    settings.dropPids === null &&
    settings.ccErrorPpm === 0 &&
    !settings.missingPat &&
    settings.audioLostAfterMs === null &&
    settings.ptsJumpAfterMs === null &&
    settings.garbagePpm === 0
  );
}

/** Damages the packets `bytes` from number `from` on; `sinceStart` is the reader's age in ms. It may return fewer or more bytes. */
export function damage(bytes: Buffer, from: number, sinceStart: number, settings: SimulatorSettings): Buffer {
  if (isUndamaged(settings)) return bytes;
  const drops = settings.dropPids === null ? null : pidsOf(settings.dropPids);
  const audioLost = settings.audioLostAfterMs !== null && sinceStart >= settings.audioLostAfterMs;
  const jumpTicks = settings.ptsJumpAfterMs !== null && sinceStart >= settings.ptsJumpAfterMs ? (settings.ptsJumpMs * CLOCK_90K) / 1000 : 0;
  const parts: Buffer[] = [];
  for (let at = 0, n = from; at < bytes.length; at += PACKET_SIZE, n += 1) {
    const pid = pidOf(bytes, at);
    const isMedia = pid === VIDEO_PID || pid === AUDIO_PID;
    if ((isMedia && isHit(n, settings.dropPpm, 1)) || drops?.has(pid)) continue;
    if (n % GARBAGE_SPACING === 0 && isHit(n, settings.garbagePpm * GARBAGE_SPACING, 2)) parts.push(Buffer.alloc(GARBAGE_BYTES, n & 0x3f));
    if ((settings.missingPat && pid === PAT_PID) || (audioLost && pid === AUDIO_PID)) bytes.set(NULL_PACKET, at);
    else if (isMedia && isHit(n, settings.ccErrorPpm, 3)) setContinuityCounter(bytes, at, continuityCounter(bytes, at) + 5);
    if (jumpTicks !== 0 && isMedia) shiftClocks(bytes, at, Math.round(jumpTicks));
    parts.push(bytes.subarray(at, at + PACKET_SIZE));
  }
  return Buffer.concat(parts);
}

function shiftClocks(bytes: Buffer, at: number, ticks: number): void {
  const pcr = readPcr(bytes, at);
  if (pcr !== NONE) writePcr(bytes, at, wrapped(pcr + ticks * 300, WRAP_27M));
  shiftTimestamps(bytes, at, ticks);
}
