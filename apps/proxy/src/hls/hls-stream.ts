/** One stream as HLS: its segments and viewers, as long as there are viewers. The stream's own session supplies the media. */
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type Clock, pause } from '@acexy/service-kit/primitives';
import type { ViewerSubscription } from '../sessions/viewer-subscription.js';
import type { ReportException } from '../sessions/exceptions.js';
import type { HlsBuffer } from '../sessions/budget/buffer-budget.js';
import { SessionError, StreamEndedError } from '../sessions/errors.js';
import { peakBandwidth, writeMediaPlaylist } from './playlist.js';
import { SegmentDownload } from './segment-download.js';
import { SegmentWindow } from './segment-window.js';
import { type Segment, Segmenter } from './segmenter.js';

export interface HlsOptions {
  /** Minimum target duration, in whole seconds. */
  targetS: number;
  /** Time without a request after which a viewer counts as gone, in ms. */
  idleMs: number;
  /** Most bytes of segments; see {@link SegmentWindow}. */
  mostBytes: number;
}

/** Reported by `/ace/status`. */
export interface HlsStatus {
  readonly viewers: number;
  readonly segments: number;
  readonly bytes: number;
}

/** Numbers of a segment in the playlist. */
export interface SegmentNumbers {
  readonly sequence: number;
  /** Kept small: hls.js 1.7 counts up to it, and with a time of day it hangs for a minute and a half. */
  readonly discontinuity: number;
}

/** The first playlist waits for this many segments, because players start three from the end … */
const FIRST_SEGMENTS = 3;
/** … or for this long after the first segment (ms). */
const FIRST_WAIT_MS = 5000;
/** A stream without a segment after this time has no point at which a player could start (ms). */
const NO_SEGMENT_MS = 30_000;
/** A player that does not request its media playlist within this time was only a probe (ms). */
const PROBE_MS = 15_000;
/** Time for downloads to finish when the stream has ended (ms). */
const LAST_DOWNLOADS_MS = 10_000;
/** Media that the segments must hold, in target durations. */
const NEEDED_TARGETS = 5;
/** Buffered stream that is cut at once when the first viewer joins, in target durations. */
const BACKLOG_TARGETS = 6;

/** The stream plays, but has no keyframe at which a player could start. */
export class NoPlaylistError extends SessionError {
  readonly code = 'no_playlist';

  constructor() {
    super('the stream has no keyframe, so it cannot be cut into HLS segments: play it with /ace/getstream');
  }
}

type HlsSubscription = Pick<ViewerSubscription, 'follow' | 'leave'>;

interface HlsViewer {
  readonly subscription: HlsSubscription;
  lastRequestAt: number;
  /** It has requested its own media playlist. */
  hasOwnPlaylist: boolean;
}

export class HlsStream implements HlsBuffer {
  private readonly window: SegmentWindow;
  private readonly segmenter: Segmenter;
  private readonly viewers = new Map<string, HlsViewer>();
  private readonly downloads = new Set<SegmentDownload>();
  /** Number of viewers that wait for the first playlist. */
  private joining = 0;
  /** Wakes the viewers that wait, at each segment and at the end. */
  private change = new AbortController();
  private unfollow: (() => void) | null = null;
  private timer: unknown = null;
  private firstSegmentAt: number | null = null;
  private last: SegmentNumbers;
  private endedWith: Error | null = null;

  /**
   * @param base numbers of the first segment; a later stream of this content must use higher ones than were ever used
   * @param onEnd called once: the stream has ended (`error` says why), or its last viewer has left
   * @param onViewerEnd called for each viewer that has requested its own playlist
   * @param report gets an exception that ended one viewer
   */
  constructor(
    readonly id: string,
    private readonly base: SegmentNumbers,
    private readonly options: HlsOptions,
    private readonly clock: Clock,
    private readonly onEnd: (last: SegmentNumbers, error: Error | null) => void,
    private readonly onViewerEnd: (reason: 'removed' | 'source-ended') => void,
    private readonly report: ReportException,
  ) {
    this.last = base;
    // A download keeps the memory of its segment, and one that is slower than the stream is of no use.
    this.window = new SegmentWindow(options.mostBytes, (segment) => this.downloadsOf(segment).forEach((download) => download.leave()));
    this.segmenter = new Segmenter(options.targetS, (segment) => this.add(segment), options.mostBytes);
  }

  /** Bytes of its segments and of the segment being built. */
  get bytes(): number {
    return this.window.bytes + this.segmenter.openBytes;
  }

  /** With the segment being built. */
  get mostBytes(): number {
    return (this.options.mostBytes * NEEDED_TARGETS) / (NEEDED_TARGETS - 1);
  }

  /** The shortest playlist, the segment before it and the one being built. */
  get neededMs(): number {
    return NEEDED_TARGETS * this.segmenter.target * 1000;
  }

  /** Limit of {@link bytes}, applied when the next segment is complete. */
  set maxBytes(limit: number) {
    this.window.maxBytes = Math.floor((limit * (NEEDED_TARGETS - 1)) / NEEDED_TARGETS);
    this.segmenter.maxBytes = this.window.maxBytes;
  }

  get status(): HlsStatus {
    return { viewers: this.viewers.size, segments: this.window.listed.length, bytes: this.bytes };
  }

  /**
   * Adds a viewer as soon as there is a playlist for it.
   * @param viewerId the id that a returning viewer had; null for a new one
   * @returns the viewer's id
   * @throws StreamEndedError | NoPlaylistError | the signal's reason; the caller then keeps the subscription
   */
  async join(viewerId: string | null, subscription: HlsSubscription, signal: AbortSignal): Promise<string> {
    this.joining += 1;
    try {
      if (this.unfollow === null) this.follow(subscription);
      await this.ready(signal);
      signal.throwIfAborted();
      return this.addViewer(viewerId, subscription);
    } finally {
      this.joining -= 1;
      this.removeIdleViewers();
    }
  }

  /** Notes a request of the viewer. False if the viewer is unknown. */
  touch(viewerId: string): boolean {
    const viewer = this.viewers.get(viewerId);
    if (viewer === undefined) return false;
    viewer.lastRequestAt = this.clock.now();
    viewer.hasOwnPlaylist = true;
    return true;
  }

  /** `urlOf`: URL of the segment with this sequence number. */
  playlist(urlOf: (sequence: number) => string): string {
    this.segmenter.fixTarget();
    const segments = this.window.listed;
    return writeMediaPlaylist({
      target: this.segmenter.target,
      sequence: this.base.sequence + (segments.at(0)?.index ?? 0),
      discontinuitySequence: this.base.discontinuity + this.window.removedDiscontinuities,
      segments,
      urlOf: ({ index }) => urlOf(this.base.sequence + index),
    });
  }

  /** Bits per second of its largest segment. */
  get bandwidth(): number {
    return peakBandwidth(this.window.listed);
  }

  segment(sequence: number): Segment | undefined {
    return this.window.find(sequence - this.base.sequence);
  }

  /** Sends the segment as the body of the reply. One that its client does not take in time is reset. */
  send(segment: Segment, response: ServerResponse): void {
    if (response.destroyed) return;
    const download = new SegmentDownload(segment, response, this.clock);
    this.downloads.add(download);
    response.once('close', () => this.downloads.delete(download));
    download.endWithin(this.options.idleMs);
    download.start();
  }

  downloadsStalledFor(ms: number): SegmentDownload[] {
    return [...this.downloads].filter(({ writingMs }) => writingMs >= ms);
  }

  private downloadsOf(segment: Segment): SegmentDownload[] {
    return [...this.downloads].filter((download) => download.segment === segment);
  }

  private follow(subscription: HlsSubscription): void {
    const unfollow = subscription.follow(
      {
        onChunk: (chunk, points, breaks) => this.segmenter.push(chunk, points, breaks),
        onEnd: (error) => this.end(error instanceof Error ? error : new StreamEndedError('the stream has ended')),
      },
      BACKLOG_TARGETS * this.options.targetS,
    );
    if (this.endedWith) unfollow();
    else this.unfollow = unfollow;
  }

  private async ready(signal: AbortSignal): Promise<void> {
    const noSegmentAt = this.clock.now() + NO_SEGMENT_MS;
    for (;;) {
      if (this.endedWith) throw this.endedWith;
      if (this.isReady) return;
      const now = this.clock.now();
      if (this.firstSegmentAt === null && now >= noSegmentAt) throw new NoPlaylistError();
      const wakeAt = this.firstSegmentAt === null ? noSegmentAt : this.firstSegmentAt + FIRST_WAIT_MS;
      await pause(this.clock, Math.max(1, wakeAt - now), AbortSignal.any([signal, this.change.signal]));
      signal.throwIfAborted();
    }
  }

  private addViewer(known: string | null, subscription: HlsSubscription): string {
    const viewerId = known ?? randomBytes(12).toString('hex');
    this.viewers.get(viewerId)?.subscription.leave();
    this.viewers.set(viewerId, { subscription, lastRequestAt: this.clock.now(), hasOwnPlaylist: known !== null });
    return viewerId;
  }

  /** Time at which the viewer counts as gone if it requests nothing until then. */
  private idleAt({ lastRequestAt, hasOwnPlaylist }: HlsViewer): number {
    const { idleMs } = this.options;
    return lastRequestAt + (hasOwnPlaylist ? idleMs : Math.min(idleMs, PROBE_MS));
  }

  private get isReady(): boolean {
    const { length } = this.window.listed;
    return length >= FIRST_SEGMENTS || (this.firstSegmentAt !== null && this.clock.now() - this.firstSegmentAt >= FIRST_WAIT_MS);
  }

  private add(segment: Segment): void {
    this.firstSegmentAt ??= this.clock.now();
    this.last = {
      sequence: this.base.sequence + segment.index,
      discontinuity: this.last.discontinuity + (segment.discontinuity ? 1 : 0),
    };
    this.window.add(segment, this.segmenter.target);
    this.wakeJoining();
  }

  private wakeJoining(): void {
    this.change.abort();
    this.change = new AbortController();
  }

  private removeIdleViewers(): void {
    if (this.endedWith) return;
    const now = this.clock.now();
    for (const [viewerId, viewer] of this.viewers) {
      if (now < this.idleAt(viewer)) continue;
      this.viewers.delete(viewerId);
      this.endViewer(viewer, 'removed');
    }
    if (this.viewers.size === 0 && this.joining === 0) this.end(null);
    else this.scheduleIdleCheck();
  }

  private endViewer({ subscription, hasOwnPlaylist }: HlsViewer, reason: 'removed' | 'source-ended'): void {
    try {
      subscription.leave();
      if (hasOwnPlaylist) this.onViewerEnd(reason);
    } catch (error) {
      this.report('viewer', error);
    }
  }

  private scheduleIdleCheck(): void {
    this.clock.clearTimeout(this.timer);
    if (this.viewers.size === 0) return;
    const next = Math.min(...[...this.viewers.values()].map((viewer) => this.idleAt(viewer)));
    this.timer = this.clock.setTimeout(() => this.removeIdleViewers(), Math.max(1, next - this.clock.now()));
  }

  private end(error: Error | null): void {
    if (this.endedWith) return;
    this.endedWith = error ?? new StreamEndedError('the last HLS viewer has left the stream');
    this.clock.clearTimeout(this.timer);
    this.unfollow?.();
    this.wakeJoining();
    for (const viewer of this.viewers.values()) this.endViewer(viewer, 'source-ended');
    this.viewers.clear();
    this.window.clear();
    for (const download of this.downloads) download.endWithin(LAST_DOWNLOADS_MS);
    this.onEnd(this.last, error);
  }
}
