/** Compares a viewer's bytes with the broadcast, packet by packet. The simulator's timeline can generate any packet of the broadcast again. */
import { createHash } from 'node:crypto';
import { LoopCache } from '../../apps/engine-simulator/src/media/broadcasts.js';
import { MARKER_INTERVAL_MS } from '../../apps/engine-simulator/src/media/layout.js';
import { parseMarker } from '../../apps/engine-simulator/src/media/marker.js';
import { Timeline } from '../../apps/engine-simulator/src/media/timeline.js';

const PACKET = 188;
const NULL_PID = 0x1fff;
/** One second after the join every PID has started. */
const SETTLED_MARKERS = 10;
/** Largest distance of a marker from its expected position, in packets. */
const MARKER_SLACK = 400;

const library = new LoopCache();

/** The infohash of a content id in every simulated engine. */
export function infohashOf(contentId: string): string {
  return createHash('sha1').update(`cid:${contentId}`).digest('hex');
}

/**
 * Returns null if `body` equals the broadcast byte for byte, else the difference. The first second and null packets are ignored.
 * @param bitrate bit/s of the simulated engines
 */
export function differenceFromBroadcast(body: Buffer, contentId: string, bitrate: number): string | null {
  const timeline = new Timeline(library.loop(bitrate, 'picture'), infohashOf(contentId));
  const start = placeOfMarker(body, SETTLED_MARKERS);
  if (start === null) return 'too short to compare';
  const first = packetOfMarker(timeline, start.sequence);
  const sent = withoutNulls(timeline.read(first, Math.floor((body.length - start.at) / PACKET)));
  const got = withoutNulls(body.subarray(start.at));
  // The proxy sends null packets while it waits, so the rest of the body is never longer than the part of the timeline that was read.
  for (let at = 0; at + PACKET <= got.length && at + PACKET <= sent.length; at += PACKET) {
    if (got.compare(sent, at, at + PACKET, at, at + PACKET) !== 0) {
      return `packet ${at / PACKET} after marker ${start.sequence} differs from the broadcast: PID ${pidAt(got, at)} instead of ${pidAt(sent, at)}`;
    }
  }
  return null;
}

function placeOfMarker(body: Buffer, number: number): { at: number; sequence: number } | null {
  let seen = 0;
  for (let at = 0; at + PACKET <= body.length; at += PACKET) {
    const marker = parseMarker(body, at);
    if (marker !== null && ++seen > number) return { at, sequence: marker.sequence };
  }
  return null;
}

function packetOfMarker(timeline: Timeline, sequence: number): number {
  const due = timeline.packetAt(sequence * MARKER_INTERVAL_MS);
  const near = timeline.read(due - MARKER_SLACK, 2 * MARKER_SLACK);
  for (let at = 0; at < near.length; at += PACKET) {
    if (parseMarker(near, at)?.sequence === sequence) return due - MARKER_SLACK + at / PACKET;
  }
  throw new Error(`no marker ${sequence} in the timeline`);
}

function withoutNulls(bytes: Buffer): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; at + PACKET <= bytes.length; at += PACKET) if (pidAt(bytes, at) !== NULL_PID) kept.push(bytes.subarray(at, at + PACKET));
  return Buffer.concat(kept);
}

function pidAt(bytes: Buffer, at: number): number {
  return bytes.readUInt16BE(at + 1) & 0x1fff;
}
