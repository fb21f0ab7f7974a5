/** The media of one engine into a broadcast, watched: has the stream begun, and does it go on. */
import type { Readable } from 'node:stream';
import type { Broadcast } from '../broadcast/broadcast.js';
import { type Clock, within } from '../clock.js';
import { NoStreamError } from './errors.js';
import type { LossReason } from './loss.plan.js';
import { StallPolicy } from './stall.policy.js';

export class MediaFeed {
  private readonly stall: StallPolicy;
  private readonly begun: Promise<void>;
  private onLoss: ((reason: LossReason) => void) | null = null;
  private timer: unknown = null;
  private lost: { reason: LossReason; error?: Error } | null = null;
  private stopped = false;
  private failBeginning: (error: Error) => void = () => undefined;

  constructor(
    media: Readable,
    readonly broadcast: Broadcast,
    private readonly clock: Clock,
    stallTimeoutMs: number | undefined,
  ) {
    this.stall = new StallPolicy(stallTimeoutMs, clock.now());
    this.begun = new Promise((resolve, reject) => {
      this.failBeginning = reject;
      broadcast.onReady(resolve);
    });
    // Whoever waits for the beginning sees the failure; a feed that nobody waits for may fail unseen.
    this.begun.catch(() => undefined);
    media.on('data', (bytes: Buffer) => this.take(bytes));
    media.once('end', () => this.lose('eof'));
    media.once('error', (error) => this.lose('reset', error));
    media.once('close', () => this.lose('reset'));
  }

  /**
   * Resolves with the first packet.
   * @throws NoStreamError when the media end or break before, or nothing that is a stream comes within `limitMs`
   */
  begin(limitMs: number, signal: AbortSignal): Promise<void> {
    const onLimit = (): Error => new NoStreamError('no_packets', `no packet of a stream within ${Math.round(limitMs)} ms`);
    return within(this.clock, this.begun, limitMs, onLimit, signal);
  }

  /** Calls `onLoss` once, when the stream ends, breaks or stalls; at once where it has already. */
  watch(onLoss: (reason: LossReason) => void): void {
    this.onLoss = onLoss;
    if (this.lost) onLoss(this.lost.reason);
    else this.armStallTimer();
  }

  /** Takes no more bytes and tells no more losses. */
  stop(): void {
    this.stopped = true;
    this.clearTimer();
  }

  private take(bytes: Buffer): void {
    if (this.stopped) return;
    this.stall.observe(this.clock.now());
    this.broadcast.write(bytes);
  }

  private lose(reason: LossReason, error?: Error): void {
    if (this.stopped || this.lost) return;
    this.lost = { reason, error };
    this.clearTimer();
    this.failBeginning(
      reason === 'eof'
        ? new NoStreamError('media_ended', 'the media ended before the first packet')
        : new NoStreamError('media_broke', `the media broke before the first packet${error ? `: ${error.message}` : ''}`, { cause: error }),
    );
    this.onLoss?.(reason);
  }

  private armStallTimer(): void {
    const remaining = this.stall.remaining(this.clock.now());
    this.timer = this.clock.setTimeout(
      () => {
        this.timer = null;
        if (this.stall.remaining(this.clock.now()) <= 0) this.lose('stall');
        else this.armStallTimer();
      },
      Math.max(1, remaining),
    );
  }

  private clearTimer(): void {
    if (this.timer !== null) this.clock.clearTimeout(this.timer);
    this.timer = null;
  }
}
