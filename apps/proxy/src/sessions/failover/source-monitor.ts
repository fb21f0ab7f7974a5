/** Looks at what a source makes of the stream, every half second, and tells when another one would serve viewers better. */
import { type Broadcast, type SourceFault, SourceFaultDetector } from '../../broadcast/broadcast.js';
import type { Clock } from '@acexy/service-kit/primitives';

/** What is wrong with a source that still delivers. A leap of its clock is no fault. */
export type QualityFault = Exclude<SourceFault, 'pcr-discontinuity'>;

const EVERY_MS = 500;

export class SourceMonitor {
  private watch: SourceFaultDetector | null = null;
  private timer: unknown = null;

  constructor(
    private readonly broadcast: Broadcast,
    private readonly clock: Clock,
    private readonly onFault: (fault: QualityFault) => void,
  ) {}

  /** Begins with a source that feeds the stream from now on. */
  start(): void {
    this.stop();
    this.watch = new SourceFaultDetector(this.read());
    this.arm();
  }

  stop(): void {
    if (this.timer !== null) this.clock.clearTimeout(this.timer);
    this.timer = null;
    this.watch = null;
  }

  private arm(): void {
    this.timer = this.clock.setTimeout(() => this.look(), EVERY_MS);
  }

  private look(): void {
    this.arm();
    const fault = this.watch?.judge(this.read()) ?? null;
    if (fault !== null && fault !== 'pcr-discontinuity') this.onFault(fault);
  }

  private read() {
    return { ...this.broadcast.snapshot(), now: this.clock.now() };
  }
}
