/** Divides the memory of the proxy: buffers of all streams, the process itself, and connections whose viewers take nothing. */
import { readFileSync } from 'node:fs';
import { BLOCK_BYTES } from '../../broadcast/broadcast.js';

/** Default of ACEXY_BUFFER_TOTAL_MAX: this share of the memory … */
const DEFAULT_SHARE = 0.25;
/** … and at most this, so that 100 streams of 8 Mb/s and the process stay below 1 GB. */
const MAX_DEFAULT_BYTES = 512 * 2 ** 20;
/** Measured with 100 streams of 8 Mb/s and 400 viewers: the heap, the code, and for every byte of buffers what is not collected yet. */
const PROCESS_BYTES = 200 * 2 ** 20;
const GARBAGE_SHARE = 0.25;
/** Measured: the front (100 MB) and the spare process (110 MB) that stand beside more than one worker. */
const FRONT_BYTES = 200 * 2 ** 20;
/** So many viewers may stall, however little memory there is: a paused player must not be disconnected at once. */
const MIN_STALLED_VIEWERS = 10;
/** Linux: largest send buffer of a connection, if it cannot be read. */
const USUAL_SOCKET_BYTES = 4 * 2 ** 20;

export interface MemoryFacts {
  /** Bytes that all workers may use together. */
  readonly memoryBytes: number;
  /** ACEXY_BUFFER_TOTAL_MAX; undefined: the default. */
  readonly totalBytes?: number;
  /** Processes that share the streams. */
  readonly workers: number;
  readonly chunkBytes: number;
  /** Largest send buffer of a connection. */
  readonly socketBytes: number;
}

/** Of one worker. */
export interface MemoryPlan {
  /** For the buffers of all streams. */
  readonly bufferBytes: number;
  /** So many viewers that take nothing fit into what is left. */
  readonly maxStalledViewers: number;
  readonly memoryBytes: number;
  /** What the buffers, the process and {@link MIN_STALLED_VIEWERS} need. */
  readonly neededBytes: number;
}

export function memoryPlan({ memoryBytes, totalBytes, workers, chunkBytes, socketBytes }: MemoryFacts): MemoryPlan {
  const bufferBytes = Math.floor((totalBytes ?? Math.min(MAX_DEFAULT_BYTES, memoryBytes * DEFAULT_SHARE)) / workers);
  const processBytes = PROCESS_BYTES + bufferBytes * GARBAGE_SHARE;
  const own = Math.floor((workers > 1 ? Math.max(0, memoryBytes - FRONT_BYTES) : memoryBytes) / workers);
  // The kernel queues for it as much as the connection may have, and one chunk waits in the process, in a block that nothing else can use.
  const stalledBytes = socketBytes + Math.max(chunkBytes, BLOCK_BYTES);
  const fitting = Math.floor((own - bufferBytes - processBytes) / stalledBytes);
  return {
    bufferBytes,
    maxStalledViewers: Math.max(MIN_STALLED_VIEWERS, fitting),
    memoryBytes: own,
    neededBytes: Math.ceil(bufferBytes + processBytes + MIN_STALLED_VIEWERS * stalledBytes),
  };
}

/** Bytes that the kernel queues at most for a connection whose viewer takes nothing. */
export function maxSocketBytes(file = '/proc/sys/net/ipv4/tcp_wmem'): number {
  try {
    return Number(readFileSync(file, 'latin1').trim().split(/\s+/)[2]) || USUAL_SOCKET_BYTES;
  } catch {
    return USUAL_SOCKET_BYTES; // not Linux
  }
}
