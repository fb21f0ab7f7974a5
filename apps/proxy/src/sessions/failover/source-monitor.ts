/** Checks the current source every half second, and reports when another source would be better for the viewers. */
import { type Clock, OneShotTimer } from '@acexy/service-kit/primitives';
import type { ReportException } from '../exceptions.js';
import { type Broadcast, type SourceFault, SourceFaultDetector } from '../../broadcast/broadcast.js';

const EVERY_MS = 500;

export class SourceMonitor {
  private detector: SourceFaultDetector | null = null;
  private readonly timer: OneShotTimer;

  constructor(
    private readonly broadcast: Broadcast,
    private readonly clock: Clock,
    private readonly onFault: (fault: SourceFault) => void,
    private readonly report: ReportException,
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
    try {
      const fault = this.detector?.judge(this.read()) ?? null;
      if (fault !== null) this.onFault(fault);
    } catch (error) {
      this.report('none', error);
    }
  }

  private read() {
    return { ...this.broadcast.snapshot(), now: this.clock.now() };
  }
}
