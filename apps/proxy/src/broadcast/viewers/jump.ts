/** A slow viewer's jump: what it is sent from an entry point on continues what it was sent before, on its own clock. */
import { type FirstTimestamps, type Restamper, spliceOffset } from '@acexy/mpegts';
import { FirstTimestampsReader } from '../../../../../libs/mpegts/src/first-timestamps.js';
import type { Ring } from '../buffer/ring.js';

/** Fits `restamper` to the piece of the ring that begins at `position`. */
export function spliceAt(restamper: Restamper, ring: Ring, position: number): void {
  const last = restamper.snapshot();
  restamper.splice(spliceOffset(last, pieceStart(ring, position, last.clocks.length)));
}

/** The first times of each PID and the first PCR from `position` on; done when `pids` of them have been found or the ring ends. */
function pieceStart(ring: Ring, position: number, pids: number): FirstTimestamps {
  const reader = new FirstTimestampsReader(null);
  let step = ring.stepAt(position);
  let at = step === undefined ? 0 : position - step.position;
  while (step !== undefined && !reader.hasFound(pids)) {
    reader.read(step.data, at);
    step = ring.step(step.index + 1);
    at = 0;
  }
  return reader.start;
}
