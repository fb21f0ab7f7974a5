/** Checks every half second what a source makes of the stream, and reports when another source would serve the viewers better. */
import { type Clock, OneShotTimer } from '@acexy/service-kit/primitives';
import { type Broadcast, type SourceFault, SourceFaultDetector } from '../../broadcast/broadcast.js';

/** What is wrong with a source that still delivers. A jump of its clock is no fault. */
export type QualityFault = Exclude<SourceFault, 'pcr-discontinuity'>;

const EVERY_MS = 500;

export class SourceMonitor {
  private detector: SourceFaultDetector | null = null;
  private readonly timer: OneShotTimer;

  constructor(
    private readonly broadcast: Broadcast,
    private readonly clock: Clock,
    private readonly onFault: (fault: QualityFault) => void,
  ) {
    this.timer = new OneShotTimer(clock, () => this.check());
  }

  /** Starts again with a source that feeds the stream from now on. */
  start(): void {
    this.stop();
    this.detector = new SourceFaultDetector(this.read());
    this.timer.set(EVERY_MS);
  }

  stop(): void {
    this.timer.clear();
    this.detector = null;
  }

  private check(): void {
    this.timer.set(EVERY_MS);
    const fault = this.detector?.judge(this.read()) ?? null;
    if (fault !== null && fault !== 'pcr-discontinuity') this.onFault(fault);
  }

  private read() {
    return { ...this.broadcast.snapshot(), now: this.clock.now() };
  }
}
