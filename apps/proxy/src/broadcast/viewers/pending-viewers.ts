/** Viewers that have no place in the stream yet: lets each in as soon as there is one, or after a while wherever the stream is. */
import { PAT_PID, type StreamSnapshot } from '@acexy/mpegts';
import { OneShotTimer } from '@acexy/service-kit/primitives';
import type { BroadcastSettings } from '../broadcast-settings.js';
import type { Clock } from '@acexy/service-kit/primitives';
import { chooseAccessPoint, takesWhatThereIs } from './join.policy.js';
import type { Tables } from './viewer-rewriter.js';
import type { Chunk } from '../buffer/ring.js';
import type { StreamBuffer } from '../buffer/stream-buffer.js';
import type { AccessPoint } from '../buffer/stream-index.js';
import type { Viewer } from './viewer.js';

/** Pictures (10 s at 25 a second) within which a stream has an entry point, if it has any. */
const LATE_ENTRY_UNITS = 250;

export class PendingViewers {
  readonly #waiting = new Set<Viewer>();
  readonly #due: OneShotTimer;

  constructor(
    private readonly buffer: StreamBuffer,
    private readonly settings: BroadcastSettings,
    private readonly clock: Clock,
  ) {
    this.#due = new OneShotTimer(clock, () => this.admit());
  }

  enter(viewer: Viewer): void {
    this.#waiting.add(viewer);
    this.#letIn(viewer);
  }

  leave(viewer: Viewer): void {
    this.#waiting.delete(viewer);
    if (this.#waiting.size === 0) this.#due.clear();
  }

  /** Lets in whom it can. */
  admit(): void {
    for (const viewer of this.#waiting) this.#letIn(viewer);
  }

  /** The stream is over: everybody gets what there is, if there is anything. */
  admitAll(): void {
    for (const viewer of this.#waiting) if (this.buffer.packets > 0) this.#letInAnywhere(viewer);
  }

  #letIn(viewer: Viewer): void {
    if (this.buffer.packets === 0) return;
    const { ring, openLength, wholeLength } = this.buffer;
    const point = this.#entryPoint(ring.endPosition + wholeLength);
    if (point !== null) {
      this.#letInAt(viewer, point.position, point);
      return;
    }
    const waitedMs = this.clock.now() - Math.max(viewer.joinedAt, this.buffer.firstPacketAt);
    if (takesWhatThereIs({ waitedMs, bytes: ring.bytes + openLength }, this.settings)) this.#letInAnywhere(viewer);
    else this.#due.set(Math.max(1, this.settings.coldJoinMs - waitedMs));
  }

  /** The best place to join at with bytes behind it that lie before `end`. */
  #entryPoint(end: number): AccessPoint | null {
    const points = this.buffer.ring.points.filter((point) => point.position < end);
    return chooseAccessPoint(points, this.buffer.index.clock.elapsedMs, this.settings);
  }

  /** No whole picture from an entry point on in time: the viewer gets what there is; with tables if they are known, and then
   * its picture from the next entry point on. */
  #letInAnywhere(viewer: Viewer): void {
    const { ring, index, openLength } = this.buffer;
    if (openLength > 0) this.buffer.close(openLength);
    const point = this.#entryPoint(ring.endPosition);
    if (point !== null) {
      this.#letInAt(viewer, point.position, point);
      return;
    }
    const step = ring.firstStepAfter(index.clock.elapsedMs - this.settings.joinSeconds * 1000);
    if (step !== undefined) this.#letInAt(viewer, step.position, this.#tablesAt(step));
  }

  #letInAt(viewer: Viewer, position: number, tables: Tables | null): void {
    const { ring } = this.buffer;
    const step = ring.stepAt(position);
    this.leave(viewer);
    viewer.join(step?.index ?? ring.nextIndex, position - (step?.position ?? ring.endPosition), tables);
  }

  #tablesAt(step: Chunk): Tables | null {
    const { ring, index } = this.buffer;
    if (index.program === null) return null;
    const before = ring.step(step.index - 1)?.exit;
    const { program } = index;
    const lateEntry = {
      isEntry: (position: number) => ring.hasPointAt(position),
      maxUnits: Math.max(0, LATE_ENTRY_UNITS - index.unitsWithoutEntry),
    };
    return { program, lateEntry, patCounter: counterIn(before, PAT_PID), pmtCounter: counterIn(before, program.pat.pmtPid) };
  }
}

/** The last counter of `pid`; where it is not known the next packet of the table tells it (see ViewerRewriter). */
function counterIn(snapshot: StreamSnapshot | undefined, pid: number): number {
  return snapshot?.counters.find((entry) => entry.pid === pid)?.counter ?? 0;
}
