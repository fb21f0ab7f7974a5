/**
 * Marker packets, one every 100 ms on a private PID. They show a test what was lost, repeated or mixed up, and which engine sent it.
 *
 * Payload (big endian): 'SIMK', version 1, form (0 content, 1 engine), infohash 20 bytes, sequence 6 bytes, media time in Unix ms 6 bytes.
 * The engine form adds session id 20 bytes, wall clock in Unix ms 6 bytes, length of the engine id 1 byte and the engine id in UTF-8.
 * The content form depends on content and time alone, so two engines of one content send the same markers.
 */
import { PACKET_SIZE, pidOf } from '@acexy/mpegts';
import { MARKER_INTERVAL_MS, MARKER_PID } from './layout.js';

export type MarkerForm = 'content' | 'engine' | 'off';

export interface EngineMark {
  engineId: string;
  /** The playback session id, 40 hexadecimal digits. */
  sessionId: string;
  /** When the engine sent the marker, Unix ms. */
  wallClock: number;
}

export interface Marker {
  /** 40 hexadecimal digits. */
  infohash: string;
  /** Increases by one from marker to marker. */
  sequence: number;
  /** Position on the broadcaster's timeline, Unix ms. */
  mediaTime: number;
  engine: EngineMark | null;
}

const MAGIC = 0x53494d4b;
const VERSION = 1;
const MAX_ENGINE_ID_BYTES = 64;

enum At {
  magic = 4,
  version = 8,
  form = 9,
  infohash = 10,
  sequence = 30,
  mediaTime = 36,
  sessionId = 42,
  wallClock = 62,
  engineIdLength = 68,
  engineId = 69,
}

/** Writes the payload of the marker with the given sequence number into the packet at `at`. */
export function writeMarker(out: Buffer, at: number, infohash: Buffer, sequence: number, engine: EngineMark | null): void {
  out.writeUInt32BE(MAGIC, at + At.magic);
  out[at + At.version] = VERSION;
  out[at + At.form] = engine ? 1 : 0;
  infohash.copy(out, at + At.infohash, 0, 20);
  out.writeUIntBE(sequence, at + At.sequence, 6);
  out.writeUIntBE(sequence * MARKER_INTERVAL_MS, at + At.mediaTime, 6);
  if (!engine) return;
  out.write(engine.sessionId, at + At.sessionId, 20, 'hex');
  out.writeUIntBE(engine.wallClock, at + At.wallClock, 6);
  const id = Buffer.from(engine.engineId).subarray(0, MAX_ENGINE_ID_BYTES);
  out[at + At.engineIdLength] = id.length;
  id.copy(out, at + At.engineId);
}

/** The marker in the packet at `at`; null for any other packet. */
export function parseMarker(packet: Uint8Array, at = 0): Marker | null {
  if (at + PACKET_SIZE > packet.length || pidOf(packet, at) !== MARKER_PID) return null;
  const bytes = Buffer.from(packet.buffer, packet.byteOffset + at, PACKET_SIZE);
  if (bytes.readUInt32BE(At.magic) !== MAGIC || bytes[At.version] !== VERSION) return null;
  const hasEngine = bytes[At.form] === 1;
  return {
    infohash: bytes.toString('hex', At.infohash, At.infohash + 20),
    sequence: bytes.readUIntBE(At.sequence, 6),
    mediaTime: bytes.readUIntBE(At.mediaTime, 6),
    engine: hasEngine
      ? {
          sessionId: bytes.toString('hex', At.sessionId, At.sessionId + 20),
          wallClock: bytes.readUIntBE(At.wallClock, 6),
          engineId: bytes.toString('utf8', At.engineId, At.engineId + bytes[At.engineIdLength]),
        }
      : null,
  };
}
