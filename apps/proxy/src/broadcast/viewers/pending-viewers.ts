/** Viewers without a position in the stream. Each one joins at the first random-access point, or after a while at any position. */
import { PAT_PID } from '@acexy/mpegts';
import { type Clock, OneShotTimer } from '@acexy/service-kit/primitives';
import type { BroadcastSettings } from '../broadcast-settings.js';
import type { Chunk } from '../buffer/ring.js';
import { WAIT_FOR_BETTER_MS, entryPoints } from '../buffer/entry-points.policy.js';
import type { StreamBuffer } from '../buffer/stream-buffer.js';
import type { RandomAccessPoint } from '../buffer/stream-index.js';
import { chooseRandomAccessPoint, joinsAnywhere } from './join.policy.js';
import type { JoinTables } from './viewer-rewriter.js';
import type { Viewer } from './viewer.js';

/** If this many units (10 s at 25 pictures a second) contain no random-access point, the stream counts as having none. */
const MAX_UNITS_TO_POINT = 250;

export class PendingViewers {
  readonly #viewers = new Set<Viewer>();
  readonly #timer: OneShotTimer;

  constructor(
    private readonly buffer: StreamBuffer,
    private readonly settings: BroadcastSettings,
    private readonly clock: Clock,
  ) {
    this.#timer = new OneShotTimer(clock, () => this.joinReady());
  }

  add(viewer: Viewer): void {
    this.#viewers.add(viewer);
    contained(viewer, () => this.#joinIfReady(viewer));
  }

  remove(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size === 0) this.#timer.clear();
  }

  /** Joins the viewers for which there is a position. */
  joinReady(): void {
    for (const viewer of this.#viewers) contained(viewer, () => this.#joinIfReady(viewer));
  }

  /** The stream has ended: every viewer gets what is left of it. */
  joinAll(): void {
    if (this.buffer.packets === 0) return;
    for (const viewer of this.#viewers) contained(viewer, () => this.#joinAnywhere(viewer));
  }

  #joinIfReady(viewer: Viewer): void {
    if (this.buffer.packets === 0) return;
    const { ring, pendingLength, completeVideoLength } = this.buffer;
    const point = this.#pointBefore(ring.endPosition + completeVideoLength);
    if (point !== null) {
      this.#joinAt(viewer, point.position, point);
      return;
    }
    const waitedMs = this.clock.now() - Math.max(viewer.joinedAt, this.buffer.firstPacketAt);
    const isEntryExpected = ring.points.length > 0;
    if (joinsAnywhere({ waitedMs, bytes: ring.bytes + pendingLength, isEntryExpected }, this.settings)) this.#joinAnywhere(viewer);
    else this.#timer.set(Math.max(1, this.settings.coldJoinMs + (isEntryExpected ? WAIT_FOR_BETTER_MS : 0) - waitedMs));
  }

  /** The best random-access point that is before `end`, so that there are bytes after it. */
  #pointBefore(end: number): RandomAccessPoint | null {
    const points = this.buffer.ring.points.filter((point) => point.position < end);
    return chooseRandomAccessPoint(points, this.buffer.index.clock.elapsedMs, this.settings);
  }

  /** Without a random-access point the viewer gets the other streams at once, and the video from the next random-access point on. */
  #joinAnywhere(viewer: Viewer): void {
    const { ring, index, pendingLength } = this.buffer;
    if (pendingLength > 0) this.buffer.closeChunk(pendingLength);
    const point = this.#pointBefore(ring.endPosition);
    if (point !== null) {
      this.#joinAt(viewer, point.position, point);
      return;
    }
    const chunk = ring.firstChunkAfter(index.clock.elapsedMs - this.settings.joinSeconds * 1000);
    if (chunk !== undefined) this.#joinAt(viewer, chunk.position, this.#tablesAt(chunk));
  }

  #joinAt(viewer: Viewer, position: number, tables: JoinTables | null): void {
    const { ring } = this.buffer;
    const chunk = ring.chunkAt(position);
    this.remove(viewer);
    viewer.join(chunk?.index ?? ring.nextIndex, position - (chunk?.position ?? ring.endPosition), tables);
  }

  /** An unknown counter is 0 here; the next packet of the table corrects it (see ViewerRewriter). */
  #tablesAt(chunk: Chunk): JoinTables | null {
    const { ring, index } = this.buffer;
    const { program } = index;
    if (program === null) return null;
    const counters = ring.chunk(chunk.index - 1)?.endState.counters;
    const lateEntry = {
      isEntry: (position: number) => entryPoints(ring.points, index.clock.elapsedMs).some((point) => point.position === position),
      maxUnits: Math.max(0, MAX_UNITS_TO_POINT - index.unitsSincePoint),
    };
    return { program, lateEntry, patCounter: counters?.get(PAT_PID) ?? 0, pmtCounter: counters?.get(program.pat.pmtPid) ?? 0 };
  }
}

/** An exception ends only the viewer that was to join. */
function contained(viewer: Viewer, join: () => void): void {
  try {
    join();
  } catch (error) {
    viewer.leave('failed', error);
  }
}
