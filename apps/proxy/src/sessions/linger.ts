/** The time that a stream goes on without viewers. */
import type { Clock } from '@acexy/service-kit/primitives';

export class Linger {
  private timer: unknown = null;
  private begunAt: number | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly ms: number,
    private readonly onOver: () => void,
  ) {}

  /** The moment of the clock at which it began; null while it does not run. */
  get since(): number | null {
    return this.begunAt;
  }

  begin(): void {
    this.cancel();
    this.begunAt = this.clock.now();
    this.timer = this.clock.setTimeout(this.onOver, this.ms);
  }

  cancel(): void {
    if (this.timer !== null) this.clock.clearTimeout(this.timer);
    this.timer = null;
    this.begunAt = null;
  }
}
