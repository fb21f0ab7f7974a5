/** The media of one engine into a stream, watched: has it begun, and does it go on. */
import type { Readable } from 'node:stream';
import { type Clock, within } from '@acexy/service-kit/primitives';
import { NoStreamError } from './errors.js';
import type { LossReason } from './failover/loss.plan.js';
import { StallPolicy } from './failover/stall.policy.js';

/** Where the media go: a stream that begins with them, or one that is to go on with them. */
export interface FeedTarget {
  /** `bytes` are good only during the call. */
  write(bytes: Buffer): void;
  /** What was written has become part of the stream. */
  readonly ready: boolean;
  /** Of the stream, in bits per second; null while unknown. */
  readonly bitrate: number | null;
}

export interface FeedWatcher {
  /** The media have ended, broken or been silent for too long. */
  onLoss(reason: LossReason): void;
  /** Half of the silence that counts as a loss has gone by. */
  onQuiet(): void;
  /** Bytes have come after that. */
  onFlowing(): void;
}

/** A feed that has delivered within this time goes on, whatever was thought of it. */
const FLOWING_MS = 2000;

export class MediaFeed {
  private readonly stall: StallPolicy;
  private readonly begun: Promise<void>;
  private watcher: FeedWatcher | null = null;
  private quiet = false;
  private timer: unknown = null;
  private lost: LossReason | null = null;
  private over = false;
  private stopped = false;
  private lastAt: number | null = null;
  private tellBegun: () => void = () => undefined;
  private failBeginning: (error: Error) => void = () => undefined;

  constructor(
    media: Readable,
    private readonly target: FeedTarget,
    private readonly clock: Clock,
    stallTimeoutMs: number | undefined,
  ) {
    this.stall = new StallPolicy(stallTimeoutMs, clock.now());
    this.begun = new Promise((resolve, reject) => {
      this.tellBegun = resolve;
      this.failBeginning = reject;
    });
    // Whoever waits for the beginning sees the failure; a feed that nobody waits for may fail unseen.
    this.begun.catch(() => undefined);
    media.on('data', (bytes: Buffer) => this.take(bytes));
    media.once('end', () => this.finish('eof'));
    media.once('error', (error) => this.finish('reset', error));
    media.once('close', () => this.finish('reset'));
  }

  /** The moment of the clock at which bytes last came; null before the first. */
  get lastByteAt(): number | null {
    return this.lastAt;
  }

  /** Bytes come and are taken. */
  get flows(): boolean {
    return !this.over && !this.stopped && this.lastAt !== null && this.clock.now() - this.lastAt < FLOWING_MS;
  }

  /**
   * Resolves when the media have become part of the stream.
   * @throws NoStreamError when they end, break or stall before, or it does not come to that within `limitMs`
   */
  begin(limitMs: number, signal: AbortSignal): Promise<void> {
    const onLimit = (): Error => new NoStreamError('no_packets', `no packet of a stream within ${Math.round(limitMs)} ms`);
    return within(this.clock, this.begun, limitMs, onLimit, signal);
  }

  /**
   * Tells `watcher` when the stream falls quiet, ends, breaks or stalls; at once where it has already. After a stall bytes are still taken, and
   * a second call begins to watch anew.
   */
  watch(watcher: FeedWatcher): void {
    if (this.stopped) return;
    this.watcher = watcher;
    this.quiet = false;
    if (this.lost === 'stall' && !this.over) this.lost = null;
    if (this.lost) watcher.onLoss(this.lost);
    else this.armTimer();
  }

  /** Takes no more bytes and tells no more losses. */
  stop(): void {
    this.stopped = true;
    this.clearTimer();
  }

  private take(bytes: Buffer): void {
    if (this.stopped) return;
    this.lastAt = this.clock.now();
    this.stall.observe(this.lastAt);
    this.target.write(bytes);
    if (this.target.ready) this.tellBegun();
    if (this.quiet) {
      this.quiet = false;
      this.watcher?.onFlowing();
    }
    // Hooks of the stream may have stopped it meanwhile.
    if (!this.stopped && this.timer === null && this.lost === null) this.armTimer();
  }

  private finish(reason: 'eof' | 'reset', error?: Error): void {
    this.over = true;
    if (this.stopped) return;
    this.failBeginning(
      reason === 'eof'
        ? new NoStreamError('media_ended', 'the media ended before the first packet')
        : new NoStreamError('media_broke', `the media broke before the first packet${error ? `: ${error.message}` : ''}`, { cause: error }),
    );
    this.lose(reason);
  }

  private lose(reason: LossReason): void {
    if (this.stopped || this.lost) return;
    this.lost = reason;
    this.clearTimer();
    this.watcher?.onLoss(reason);
  }

  /** One timer for as long as the feed lives: it comes when a silence since the last byte would mean something, and looks whether it does. */
  private armTimer(): void {
    this.clearTimer();
    const now = this.clock.now();
    const { bitrate } = this.target;
    const untilQuiet = this.quiet || this.watcher === null ? Infinity : this.stall.untilQuiet(now, bitrate);
    const dueMs = Math.min(untilQuiet, this.stall.remaining(now, bitrate));
    this.timer = this.clock.setTimeout(() => this.look(), Math.max(1, dueMs));
  }

  private look(): void {
    this.timer = null;
    const now = this.clock.now();
    const { bitrate } = this.target;
    if (this.stall.remaining(now, bitrate) <= 0) {
      this.failBeginning(new NoStreamError('no_packets', 'the media stopped before they were part of the stream'));
      this.lose('stall');
      return;
    }
    if (!this.quiet && this.watcher !== null && this.stall.untilQuiet(now, bitrate) <= 0) {
      this.quiet = true;
      this.watcher.onQuiet();
    }
    if (!this.stopped) this.armTimer();
  }

  private clearTimer(): void {
    if (this.timer !== null) this.clock.clearTimeout(this.timer);
    this.timer = null;
  }
}
