/**
 * How much a reader gets at which time: first a burst from a few seconds back, then pieces as peers would deliver them, until a fault stops
 * the stream. Positions are packet numbers of the timeline; times are Unix ms.
 */
import { PACKET_SIZE } from '@acexy/mpegts';
import type { SimulatorSettings } from '../faults/simulator-settings.js';
import { pseudoRandom } from '../pseudo-random.js';

export interface ReaderState {
  /** Time of the first byte. */
  startedAt: number;
  lastStep: number;
  /** The next packet to send. */
  position: number;
  bytes: number;
  /** Packets that may be sent now. */
  credit: number;
  stalledSince: number | null;
  /** A stall with an end is over and does not repeat. */
  recovered: boolean;
}

export type PacingStep =
  { do: 'send'; count: number } | { do: 'wait' } | { do: 'stall' } | { do: 'recover' } | { do: 'end' } | { do: 'reset' };

/** After a long pause (a blocked reader) a step earns credit for at most this time. */
const MAX_STEP_MS = 1000;

export function packetsPerPiece(chunkBytes: number): number {
  return Math.max(1, Math.round(chunkBytes / PACKET_SIZE));
}

/** Packets that have arrived in whole pieces when the live edge is at packet `edge`. A piece is late by up to the jitter. */
export function arrivedPackets(edge: number, piece: number, jitterPackets: number): number {
  const index = Math.floor(edge / piece);
  const late = pseudoRandom(index) * jitterPackets;
  return (edge - index * piece >= late ? index : index - 1) * piece;
}

function isOver(afterMs: number | null, afterBytes: number | null, state: ReaderState, now: number): boolean {
  return (afterMs !== null && now - state.startedAt >= afterMs) || (afterBytes !== null && state.bytes >= afterBytes);
}

/** Decides one step; the caller updates the state. `packetsPerMs` is the rate of the timeline. */
export function planStep(state: ReaderState, now: number, edge: number, packetsPerMs: number, settings: SimulatorSettings): PacingStep {
  if (isOver(settings.resetAfterMs, settings.resetAfterBytes, state, now)) return { do: 'reset' };
  if (isOver(settings.eofAfterMs, settings.eofAfterBytes, state, now)) return { do: 'end' };
  const stalls = settings.headersThenSilence || (!state.recovered && isOver(settings.stallAfterMs, settings.stallAfterBytes, state, now));
  if (stalls) {
    const over = settings.resumeAfterMs !== null && state.stalledSince !== null && now - state.stalledSince >= settings.resumeAfterMs;
    return over ? { do: 'recover' } : { do: 'stall' };
  }
  const piece = packetsPerPiece(settings.chunkBytes);
  const backlog = arrivedPackets(edge, piece, settings.jitterMs * packetsPerMs) - state.position;
  if (backlog <= 0 || state.credit < Math.min(piece, backlog)) return { do: 'wait' };
  return { do: 'send', count: Math.min(Math.floor(state.credit), backlog) };
}

/** The credit at `now`: it grows with the burst factor times real time, or slower than real time for a starving source. */
export function earnedCredit(state: ReaderState, now: number, packetsPerMs: number, settings: SimulatorSettings): number {
  const passed = Math.min(MAX_STEP_MS, Math.max(0, now - state.lastStep));
  const factor = settings.rateFactor < 1 ? settings.rateFactor : Math.max(1, settings.burstFactor);
  const cap = Math.max(2 * packetsPerPiece(settings.chunkBytes), passed * factor * packetsPerMs);
  return Math.min(cap, state.credit + passed * factor * packetsPerMs);
}

/** The packet whose bytes are sent at position `n`: itself, or in a loop that began at `loopFrom` the one that is repeated there. */
export function sourcePacket(n: number, loopFrom: number | null, loopPackets: number): { from: number; left: number } {
  if (loopFrom === null || n < loopFrom) return { from: n, left: loopFrom === null ? Infinity : loopFrom - n };
  const into = (n - loopFrom) % loopPackets;
  return { from: loopFrom - loopPackets + into, left: loopPackets - into };
}
