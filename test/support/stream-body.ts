import { AUDIO_PID } from '../../apps/engine-simulator/src/media/layout.js';
import { parseMarker } from '../../apps/engine-simulator/src/media/marker.js';

/** The body up to its last complete picture. The viewer left in the middle of what follows. */
export function wholePictures(body: Buffer): Buffer {
  let end = body.length - (body.length % 188);
  for (let at = end - 188; at > 0; at -= 188) {
    const pid = ((body[at + 1] & 0x1f) << 8) | body[at + 2];
    if (pid === 0x100 && (body[at + 1] & 0x40) !== 0) {
      end = at;
      break;
    }
  }
  return withoutLastAudio(body.subarray(0, end));
}

/** Without the last audio PES packet, which may be incomplete. */
function withoutLastAudio(body: Buffer): Buffer {
  const kept: Buffer[] = [];
  let at = body.length - 188;
  for (let found = false; at >= 0 && !found; at -= 188) {
    const isAudio = (body.readUInt16BE(at + 1) & 0x1fff) === AUDIO_PID;
    if (!isAudio) kept.unshift(body.subarray(at, at + 188));
    found = isAudio && (body[at + 1] & 0x40) !== 0;
  }
  return Buffer.concat([body.subarray(0, at + 188), ...kept]);
}

/** Sequence numbers of the simulator's marker packets in the body. Each marker is one tenth of a second of content. */
export function markersOf(body: Buffer): number[] {
  const sequence: number[] = [];
  for (let at = 0; at + 188 <= body.length; at += 188) {
    const marker = parseMarker(body, at);
    if (marker !== null) sequence.push(marker.sequence);
  }
  return sequence;
}
