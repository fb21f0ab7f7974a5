/** A slow viewer's jump: what it is sent from an entry point on continues what it was sent before, on its own clock. */
import { type PieceStart, type Restamper, spliceOffset } from '@acexy/mpegts';
import { PieceStartReader } from './piece-start.js';
import type { Ring } from './ring.js';

/** Fits `restamper` to the piece of the ring that begins at `position`. */
export function spliceAt(restamper: Restamper, ring: Ring, position: number): void {
  const last = restamper.snapshot();
  restamper.splice(spliceOffset(last, pieceStart(ring, position, last.clocks.length)));
}

/** The first times of each PID and the first PCR from `position` on; done when `pids` of them have been found or the ring ends. */
function pieceStart(ring: Ring, position: number, pids: number): PieceStart {
  const reader = new PieceStartReader(null);
  let step = ring.stepAt(position);
  let at = step === undefined ? 0 : position - step.position;
  while (step !== undefined && !reader.hasFound(pids)) {
    reader.read(step.data, at);
    step = ring.step(step.index + 1);
    at = 0;
  }
  return reader.start;
}
