/** Follows the stream step by step, for whoever cuts it into pieces of their own: nothing is written and nothing waits. */
import { chooseAccessPoint } from './join.policy.js';
import type { Chunk } from '../buffer/ring.js';
import type { StreamBuffer } from '../buffer/stream-buffer.js';
import type { AccessPoint } from '../buffer/stream-index.js';

export interface StreamFollower {
  /**
   * The next step. `points` and `breaks` lie before its end and were not told before; a point may lie in an earlier step, when what it is was known
   * only now. A break is a place from which on the stream is another piece, entered at the next point.
   */
  onStep(step: Chunk, points: readonly AccessPoint[], breaks: readonly number[]): void;
  /** Nothing more will come; called once. `error`: the follower's own, which it is let go for. */
  onEnd(error?: unknown): void;
}

export class StreamTap {
  #next: number;
  /** Points and breaks before this place have been told. */
  #pointsFrom: number;
  #breaksFrom: number;
  #over = false;

  /** Begins at the entry point that has `seconds` of stream behind it, as far as there are so many. */
  constructor(
    private readonly buffer: StreamBuffer,
    private readonly follower: StreamFollower,
    seconds: number,
  ) {
    const { ring, index } = buffer;
    const points = ring.points.filter((point) => point.position < ring.endPosition);
    const start = chooseAccessPoint(points, index.clock.elapsedMs, { joinMode: 'keyframe', joinSeconds: seconds });
    this.#next = (start === null ? undefined : ring.stepAt(start.position)?.index) ?? ring.firstIndex;
    this.#pointsFrom = start?.position ?? 0;
    this.#breaksFrom = this.#pointsFrom + 1;
  }

  /** Hands on the steps that have come. */
  pump(): void {
    if (this.#over) return;
    try {
      const { ring } = this.buffer;
      for (let step = ring.step(this.#next); step !== undefined && !this.#over; step = ring.step(this.#next)) {
        this.#next += 1;
        const end = step.position + step.data.length;
        const points = ring.points.filter(({ position }) => position >= this.#pointsFrom && position < end);
        const breaks = ring.breaks.filter((position) => position >= this.#breaksFrom && position < end);
        if (points.length > 0) this.#pointsFrom = points[points.length - 1].position + 1;
        if (breaks.length > 0) this.#breaksFrom = breaks[breaks.length - 1] + 1;
        this.follower.onStep(step, points, breaks);
      }
    } catch (error) {
      this.end(error); // whatever is wrong with one follower stays with it
    }
  }

  end(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.follower.onEnd(error);
  }
}
