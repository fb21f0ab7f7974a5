/**
 * When a reader gets how much: first the burst from a few seconds back, then pieces as they would come from peers, and the faults that stop
 * the flow. Positions are packet numbers of the timeline, times Unix ms.
 */
import { PACKET_SIZE } from '@acexy/mpegts';
import type { Knobs } from '../faults/knobs.js';
import { noise } from '../noise.js';

export interface FlowState {
  /** When the first byte could go out. */
  startedAt: number;
  lastStep: number;
  /** The next packet to send. */
  position: number;
  bytes: number;
  /** Packets that the pace allows now. */
  credit: number;
  stalledSince: number | null;
  /** A stall with an end is over and does not come back. */
  recovered: boolean;
}

export type FlowStep =
  { do: 'send'; count: number } | { do: 'wait' } | { do: 'stall' } | { do: 'recover' } | { do: 'end' } | { do: 'reset' };

/** A step after a long silence (a blocked reader) does not release more than this at once. */
const MAX_STEP_MS = 1000;

export function packetsPerPiece(chunkBytes: number): number {
  return Math.max(1, Math.round(chunkBytes / PACKET_SIZE));
}

/** How far whole pieces have come when the live edge is at packet `edge`: a piece is late by up to the jitter. */
export function arrived(edge: number, piece: number, jitterPackets: number): number {
  const index = Math.floor(edge / piece);
  const late = noise(index) * jitterPackets;
  return (edge - index * piece >= late ? index : index - 1) * piece;
}

function isOver(afterMs: number | null, afterBytes: number | null, state: FlowState, now: number): boolean {
  return (afterMs !== null && now - state.startedAt >= afterMs) || (afterBytes !== null && state.bytes >= afterBytes);
}

/** What to do in this step. `packetsPerMs` is the timeline's rate; the caller keeps the state. */
export function planStep(state: FlowState, now: number, edge: number, packetsPerMs: number, knobs: Knobs): FlowStep {
  if (isOver(knobs.resetAfterMs, knobs.resetAfterBytes, state, now)) return { do: 'reset' };
  if (isOver(knobs.eofAfterMs, knobs.eofAfterBytes, state, now)) return { do: 'end' };
  const stalls = knobs.headersThenSilence || (!state.recovered && isOver(knobs.stallAfterMs, knobs.stallAfterBytes, state, now));
  if (stalls) {
    const over = knobs.resumeAfterMs !== null && state.stalledSince !== null && now - state.stalledSince >= knobs.resumeAfterMs;
    return over ? { do: 'recover' } : { do: 'stall' };
  }
  const piece = packetsPerPiece(knobs.chunkBytes);
  const backlog = arrived(edge, piece, knobs.jitterMs * packetsPerMs) - state.position;
  if (backlog <= 0 || state.credit < Math.min(piece, backlog)) return { do: 'wait' };
  return { do: 'send', count: Math.min(Math.floor(state.credit), backlog) };
}

/** The pace's allowance at `now`: the burst factor over real time, or less than real time where the source starves. */
export function earnedCredit(state: FlowState, now: number, packetsPerMs: number, knobs: Knobs): number {
  const passed = Math.min(MAX_STEP_MS, Math.max(0, now - state.lastStep));
  const factor = knobs.rateFactor < 1 ? knobs.rateFactor : Math.max(1, knobs.burstFactor);
  const cap = Math.max(2 * packetsPerPiece(knobs.chunkBytes), passed * factor * packetsPerMs);
  return Math.min(cap, state.credit + passed * factor * packetsPerMs);
}

/** Where the bytes of packet `n` come from: itself, or, in a loop that began at `loopFrom`, the same place in the piece being replayed. */
export function sourcePacket(n: number, loopFrom: number | null, loopPackets: number): { from: number; left: number } {
  if (loopFrom === null || n < loopFrom) return { from: n, left: loopFrom === null ? Infinity : loopFrom - n };
  const into = (n - loopFrom) % loopPackets;
  return { from: loopFrom - loopPackets + into, left: loopPackets - into };
}
