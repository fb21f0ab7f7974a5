/** One stream as HLS: its segments while somebody watches them, and who does. The stream's own session is what feeds it. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '@acexy/service-kit/primitives';
import type { ViewerSubscription as SessionSubscription } from '../sessions/viewer-subscription.js';
import { StreamEndedError } from '../sessions/errors.js';
import { NoPlaylistError } from './errors.js';
import { peakBandwidth, writeMediaPlaylist } from './playlist.js';
import { SegmentWindow } from './segment-window.js';
import { type Segment, Segmenter } from './segmenter.js';

export interface HlsOptions {
  /** Least target duration, in whole seconds. */
  targetS: number;
  /** A viewer that has asked for nothing for so long is gone, in ms. */
  idleMs: number;
  /** Of segments, in bytes; see {@link SegmentWindow}. */
  maxBytes: number;
}

/** What `/ace/status` tells of it. */
export interface HlsStatus {
  readonly viewers: number;
  readonly segments: number;
  readonly bytes: number;
}

/** How segments are counted on the wire. */
export interface Numbers {
  readonly sequence: number;
  /** Small: hls.js 1.7 counts up to it, and stands still for a minute and a half when it is a time of day. */
  readonly discontinuity: number;
}

/** A first playlist has so many segments, as players begin three from the end … */
const FIRST_SEGMENTS = 3;
/** … or those that there are when the first one has been waiting for so long (ms). */
const FIRST_WAIT_MS = 5000;
/** A stream that has not made one segment by then has no place where a player could begin (ms). */
const NO_SEGMENT_MS = 30_000;
/** A player that does not follow the first playlist to its own was a mere probe (ms). */
const FOLLOW_MS = 15_000;
/** Stream that is cut at once where the ring has it, in target durations. */
const BACKLOG_TARGETS = 6;

/** A viewer's stay with the stream. */
export type ViewerSubscription = Pick<SessionSubscription, 'follow' | 'leave'>;

interface HlsViewer {
  readonly admission: ViewerSubscription;
  askedAt: number;
  /** It has asked for its own playlist. */
  follows: boolean;
}

export class HlsStream {
  private readonly window: SegmentWindow;
  private readonly segmenter: Segmenter;
  private readonly viewers = new Map<string, HlsViewer>();
  /** Viewers that wait for a playlist. */
  private coming = 0;
  private readonly waiting = new Set<{ resolve: () => void; reject: (error: Error) => void }>();
  private unfollow: (() => void) | null = null;
  private timer: unknown = null;
  private firstAt: number | null = null;
  private last: Numbers;
  private ended = false;

  /**
   * @param base of the first segment; every later stream of this content needs higher ones than were ever used
   * @param onEnd the stream is over (`error` says why), or nobody asks any more
   */
  constructor(
    readonly id: string,
    private readonly base: Numbers,
    private readonly options: HlsOptions,
    private readonly clock: Clock,
    private readonly onEnd: (last: Numbers, error: Error | null) => void,
  ) {
    this.last = base;
    this.window = new SegmentWindow(options.maxBytes);
    this.segmenter = new Segmenter(options.targetS, (segment) => this.take(segment), options.maxBytes);
  }

  /** Bytes of its segments, and of what is to become the next one. */
  get bytes(): number {
    return this.window.bytes + this.segmenter.openBytes;
  }

  get status(): HlsStatus {
    return { viewers: this.viewers.size, segments: this.window.listed.length, bytes: this.bytes };
  }

  /**
   * Takes a viewer in, or back under the name that it had, once there is a playlist for it. Returns its name.
   * @throws StreamEndedError | NoPlaylistError | the signal's reason; the admission stays the caller's then
   */
  async admit(name: string | null, admission: ViewerSubscription, signal: AbortSignal): Promise<string> {
    this.coming += 1;
    try {
      if (this.unfollow === null) this.begin(admission);
      await this.ready(signal);
      signal.throwIfAborted();
      return this.enter(name, admission);
    } finally {
      this.coming -= 1;
      this.lookAround();
    }
  }

  /** The viewer asks for something. False where it is not here (any more). */
  touch(name: string): boolean {
    const viewer = this.viewers.get(name);
    if (viewer === undefined) return false;
    viewer.askedAt = this.clock.now();
    viewer.follows = true;
    return true;
  }

  /** `urlOf`: of the segment with this number. */
  playlist(urlOf: (sequence: number) => string): string {
    this.segmenter.fixTarget();
    const segments = this.window.listed;
    return writeMediaPlaylist({
      target: this.segmenter.target,
      sequence: this.base.sequence + (segments.at(0)?.index ?? 0),
      discontinuitySequence: this.base.discontinuity + this.window.discontinuitiesGone,
      segments,
      urlOf: ({ index }) => urlOf(this.base.sequence + index),
    });
  }

  /** Bits per second of its largest segment. */
  get bandwidth(): number {
    return peakBandwidth(this.window.listed);
  }

  /** The segment with this number, as long as it is there. */
  segment(sequence: number): Segment | undefined {
    return this.window.find(sequence - this.base.sequence);
  }

  /** Begins to cut the stream in which `admission` is. */
  private begin(admission: ViewerSubscription): void {
    const unfollow = admission.follow(
      {
        onStep: (step, points, breaks) => this.segmenter.push(step, points, breaks),
        onEnd: (error) => this.end(error instanceof Error ? error : new StreamEndedError('the stream has ended')),
      },
      BACKLOG_TARGETS * this.options.targetS,
    );
    if (this.ended) unfollow();
    else this.unfollow = unfollow;
  }

  private async ready(signal: AbortSignal): Promise<void> {
    const noSegmentAt = this.clock.now() + NO_SEGMENT_MS;
    for (;;) {
      if (this.ended) throw new StreamEndedError('the stream has ended');
      if (this.isReady) return;
      const now = this.clock.now();
      if (this.firstAt === null && now >= noSegmentAt) throw new NoPlaylistError();
      const wakeAt = this.firstAt === null ? noSegmentAt : this.firstAt + FIRST_WAIT_MS;
      await this.nextSegment(Math.max(1, wakeAt - now), signal);
    }
  }

  private enter(known: string | null, admission: ViewerSubscription): string {
    const name = known ?? randomBytes(12).toString('hex');
    this.viewers.get(name)?.admission.leave();
    this.viewers.set(name, { admission, askedAt: this.clock.now(), follows: known !== null });
    return name;
  }

  /** The moment from which the viewer is gone if it asks for nothing. */
  private goneAt({ askedAt, follows }: HlsViewer): number {
    const { idleMs } = this.options;
    return askedAt + (follows ? idleMs : Math.min(idleMs, FOLLOW_MS));
  }

  private get isReady(): boolean {
    const { length } = this.window.listed;
    return length >= FIRST_SEGMENTS || (this.firstAt !== null && this.clock.now() - this.firstAt >= FIRST_WAIT_MS);
  }

  private take(segment: Segment): void {
    this.firstAt ??= this.clock.now();
    this.last = {
      sequence: this.base.sequence + segment.index,
      discontinuity: this.last.discontinuity + (segment.discontinuity ? 1 : 0),
    };
    this.window.add(segment, this.segmenter.target);
    for (const waiter of this.waiting) waiter.resolve();
  }

  private async nextSegment(limitMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let timer: unknown;
    const { promise, waiter } = newWaiter();
    const onAbort = (): void => waiter.reject(signal.reason as Error);
    this.waiting.add(waiter);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      timer = this.clock.setTimeout(() => waiter.resolve(), limitMs);
      await promise;
    } finally {
      this.clock.clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      this.waiting.delete(waiter);
    }
  }

  /** Lets go of viewers who have asked for nothing for too long. */
  private lookAround(): void {
    if (this.ended) return;
    const now = this.clock.now();
    for (const [name, viewer] of this.viewers) {
      if (now < this.goneAt(viewer)) continue;
      this.viewers.delete(name);
      viewer.admission.leave();
    }
    if (this.viewers.size === 0 && this.coming === 0) this.end(null);
    else this.arm();
  }

  private arm(): void {
    if (this.timer !== null) this.clock.clearTimeout(this.timer);
    this.timer = null;
    if (this.viewers.size === 0) return;
    const next = Math.min(...[...this.viewers.values()].map((viewer) => this.goneAt(viewer)));
    this.timer = this.clock.setTimeout(
      () => {
        this.timer = null;
        this.lookAround();
      },
      Math.max(1, next - this.clock.now()),
    );
  }

  private end(error: Error | null): void {
    if (this.ended) return;
    this.ended = true;
    if (this.timer !== null) this.clock.clearTimeout(this.timer);
    this.unfollow?.();
    for (const waiter of this.waiting) waiter.reject(error ?? new StreamEndedError('nobody asks for the stream'));
    for (const { admission } of this.viewers.values()) admission.leave();
    this.viewers.clear();
    this.window.clear();
    this.onEnd(this.last, error);
  }
}

function newWaiter() {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, waiter: { resolve, reject } };
}
