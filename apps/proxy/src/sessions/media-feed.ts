/** Reads the media of one engine into a stream, and detects their start, their end and silence. */
import type { Readable } from 'node:stream';
import { type Clock, OneShotTimer, within } from '@acexy/service-kit/primitives';
import { MAX_BYTES_WITHOUT_LOCK } from '../broadcast/broadcast.js';
import type { EngineSession } from './engine-session.js';
import { NoStreamError } from './errors.js';
import type { ReportException } from './exceptions.js';
import type { LossReason } from './failover/failover.plan.js';
import { StallPolicy, type SuppliedStream } from './failover/stall.policy.js';

/** What a session reads: an engine session and its media. */
export interface SessionSource {
  engine: EngineSession;
  feed: MediaFeed;
}

/** Where the media go: a new stream, or a playing one that they will continue. */
export interface FeedTarget extends SuppliedStream {
  /** `bytes` are valid only during the call. */
  write(bytes: Buffer): void;
  /** Written bytes have become part of the stream. */
  readonly ready: boolean;
  /** Written bytes in which no packets were found so far; 0 when packets were found. */
  readonly unrecognizedBytes: number;
}

export interface FeedWatcher {
  /** The media have ended, broken or stalled. */
  onLoss(reason: LossReason): void;
  /** Half of the silence that counts as a stall has passed. */
  onQuiet(): void;
  /** Bytes arrived after {@link onQuiet}. */
  onFlowing(): void;
}

/** Bytes that are still no transport stream this long after the first one will not become one. */
const MAX_UNRECOGNIZED_MS = 4000;
/** A lost source that delivered within this time has recovered. */
const FLOWING_MS = 2000;

export class MediaFeed {
  private readonly stall: StallPolicy;
  private readonly timer: OneShotTimer;
  private readonly begun: Promise<void>;
  private watcher: FeedWatcher | null = null;
  private quiet = false;
  private lost: LossReason | null = null;
  private over = false;
  private stopped = false;
  private firstAt: number | null = null;
  private lastAt: number | null = null;
  /** Packets were found. */
  private recognized = false;
  private tellBegun: () => void = () => undefined;
  private failBeginning: (error: Error) => void = () => undefined;

  /** @param stallTimeoutMs undefined: adaptive, see {@link StallPolicy} */
  constructor(
    media: Readable,
    private readonly target: FeedTarget,
    private readonly clock: Clock,
    stallTimeoutMs: number | undefined,
    private readonly report: ReportException,
  ) {
    this.stall = new StallPolicy(stallTimeoutMs, clock.now(), target.mediaMs);
    this.timer = new OneShotTimer(clock, () => this.check());
    this.begun = new Promise((resolve, reject) => {
      this.tellBegun = resolve;
      this.failBeginning = reject;
    });
    // Without a call of begin() the rejection would be unhandled.
    this.begun.catch(() => undefined);
    media.on('data', (bytes: Buffer) => this.take(bytes));
    media.once('end', () => this.finish('eof'));
    media.once('error', (error) => this.finish('reset', error));
    media.once('close', () => this.finish('reset'));
  }

  /** Time of the clock when the last bytes arrived; null before the first. */
  get lastByteAt(): number | null {
    return this.lastAt;
  }

  /** Bytes arrive. */
  get flows(): boolean {
    return !this.over && !this.stopped && this.lastAt !== null && this.clock.now() - this.lastAt < FLOWING_MS;
  }

  /**
   * Resolves when the media have become part of the stream.
   * @throws NoStreamError when they end, break or stall first, or `limitMs` is over
   */
  begin(limitMs: number, signal: AbortSignal): Promise<void> {
    const onLimit = (): Error => new NoStreamError('no_packets', `no media packet within ${Math.round(limitMs)} ms`);
    return within(this.clock, this.begun, limitMs, onLimit, signal);
  }

  /**
   * Tells `watcher` when the media fall silent, end, break or stall; at once if that has already happened. After a stall bytes are still read, and a
   * second call watches them again.
   */
  watch(watcher: FeedWatcher): void {
    if (this.stopped) return;
    this.watcher = watcher;
    this.quiet = false;
    if (this.lost === 'stall' && !this.over) this.lost = null;
    this.timer.clear();
    if (this.lost) watcher.onLoss(this.lost);
    else this.setTimer();
  }

  /** Reads no more bytes and reports no more losses. */
  stop(): void {
    this.stopped = true;
    this.timer.clear();
  }

  private take(bytes: Buffer): void {
    if (this.stopped || this.over) return;
    this.lastAt = this.clock.now();
    try {
      this.target.write(bytes);
    } catch (error) {
      this.report('source', error);
      this.finish('exception');
      return;
    }
    this.stall.observe(this.lastAt, this.target.mediaMs);
    if (this.target.ready) this.tellBegun();
    else this.checkFormat(this.lastAt);
    if (this.quiet) {
      this.quiet = false;
      this.watcher?.onFlowing();
    }
    // The write may have stopped this feed.
    if (!this.stopped && this.lost === null) this.setTimer();
  }

  private checkFormat(now: number): void {
    this.firstAt ??= now;
    const { unrecognizedBytes } = this.target;
    if (unrecognizedBytes === 0) this.recognized = true;
    const late = !this.recognized && now - this.firstAt >= MAX_UNRECOGNIZED_MS;
    if (unrecognizedBytes <= MAX_BYTES_WITHOUT_LOCK && !late) return;
    const what = `no MPEG transport stream: no packets in ${unrecognizedBytes} bytes`;
    this.failBeginning(new NoStreamError('no_transport_stream', what));
  }

  private finish(reason: Exclude<LossReason, 'stall'>, error?: Error): void {
    this.over = true;
    if (this.stopped) return;
    this.failBeginning(noStream(reason, error));
    this.lose(reason);
  }

  private lose(reason: LossReason): void {
    if (this.stopped || this.lost) return;
    this.lost = reason;
    this.timer.clear();
    this.watcher?.onLoss(reason);
  }

  /** The timer fires when a silence may have become too long. New bytes do not move it; {@link check} sets it again. */
  private setTimer(): void {
    const now = this.clock.now();
    const untilQuiet = this.quiet || this.watcher === null ? Infinity : this.stall.untilQuiet(now, this.target);
    this.timer.set(Math.max(1, Math.min(untilQuiet, this.stall.remaining(now, this.target))));
  }

  private check(): void {
    const now = this.clock.now();
    if (this.stall.remaining(now, this.target) <= 0) {
      this.failBeginning(new NoStreamError('no_packets', 'the media stopped before the first packet'));
      this.lose('stall');
      return;
    }
    if (!this.quiet && this.watcher !== null && this.stall.untilQuiet(now, this.target) <= 0) {
      this.quiet = true;
      this.watcher.onQuiet();
    }
    if (!this.stopped) this.setTimer();
  }
}

function noStream(reason: Exclude<LossReason, 'stall'>, error?: Error): NoStreamError {
  switch (reason) {
    case 'eof':
      return new NoStreamError('media_ended', 'the media ended before the first packet');
    case 'reset':
      return new NoStreamError('media_broke', `the media connection broke before the first packet${error ? `: ${error.message}` : ''}`, {
        cause: error,
      });
    case 'exception':
      return new NoStreamError('media_failed', 'the proxy failed to read the media: see its log for the exception');
    default: {
      const unknown: never = reason;
      throw new TypeError(`unknown reason: ${String(unknown)}`);
    }
  }
}
