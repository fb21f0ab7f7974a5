/** The media of one engine into a stream, watched: has it begun, and does it go on. */
import type { Readable } from 'node:stream';
import { type Clock, within } from '../clock.js';
import { NoStreamError } from './errors.js';
import type { LossReason } from './loss.plan.js';
import { StallPolicy } from './stall.policy.js';

/** Where the media go: a stream that begins with them, or one that is to go on with them. */
export interface FeedTarget {
  write(bytes: Buffer): void;
  /** What was written has become part of the stream. */
  readonly ready: boolean;
}

/** A feed that has delivered within this time goes on, whatever was thought of it. */
const FLOWING_MS = 2000;

export class MediaFeed {
  private readonly stall: StallPolicy;
  private readonly begun: Promise<void>;
  private onLoss: ((reason: LossReason) => void) | null = null;
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
   * Calls `onLoss` when the stream ends, breaks or stalls; at once where it has already. After a stall bytes are still taken, and
   * a second call begins to watch anew.
   */
  watch(onLoss: (reason: LossReason) => void): void {
    if (this.stopped) return;
    this.onLoss = onLoss;
    if (this.lost === 'stall' && !this.over) this.lost = null;
    if (this.lost) onLoss(this.lost);
    else this.armStallTimer();
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
    // Hooks of the stream may have stopped it meanwhile.
    if (!this.stopped && this.timer === null && this.lost === null) this.armStallTimer();
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
    this.onLoss?.(reason);
  }

  private armStallTimer(): void {
    this.clearTimer();
    const remaining = this.stall.remaining(this.clock.now());
    this.timer = this.clock.setTimeout(
      () => {
        this.timer = null;
        if (this.stall.remaining(this.clock.now()) > 0) return this.armStallTimer();
        this.failBeginning(new NoStreamError('no_packets', 'the media stopped before they were part of the stream'));
        this.lose('stall');
      },
      Math.max(1, remaining),
    );
  }

  private clearTimer(): void {
    if (this.timer !== null) this.clock.clearTimeout(this.timer);
    this.timer = null;
  }
}
