/** A slow viewer's jump: what it is sent from an entry point on continues what it was sent before, on its own clock. */
import {
  NONE,
  PACKET_SIZE,
  type PieceStart,
  type Restamper,
  decodingTimeOf,
  pidOf,
  presentationTimeOf,
  readPcr,
  spliceOffset,
} from '@acexy/mpegts';
import type { Ring } from './ring.js';

/** Fits `restamper` to the piece of the ring that begins at `position`. */
export function spliceAt(restamper: Restamper, ring: Ring, position: number): void {
  const last = restamper.snapshot();
  restamper.splice(spliceOffset(last, pieceStart(ring, position, last.clocks.length)));
}

/** The first times of each PID and the first PCR from `position` on; done when `pids` of them have been found or the ring ends. */
function pieceStart(ring: Ring, position: number, pids: number): PieceStart {
  const units = new Map<number, { dts: number; pts: number }>();
  let pcr = NONE;
  let step = ring.stepAt(position);
  let at = step === undefined ? 0 : position - step.position;
  while (step !== undefined && (units.size < pids || pcr === NONE)) {
    for (; at < step.data.length; at += PACKET_SIZE) {
      if (pcr === NONE) pcr = readPcr(step.data, at);
      const dts = decodingTimeOf(step.data, at);
      const pid = pidOf(step.data, at);
      if (dts !== NONE && !units.has(pid)) units.set(pid, { dts, pts: presentationTimeOf(step.data, at) });
    }
    step = ring.step(step.index + 1);
    at = 0;
  }
  return { units, pcr };
}
