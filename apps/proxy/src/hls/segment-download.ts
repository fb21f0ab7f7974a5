/** Sends one segment, part by part: when a part is written is known, so a client that takes nothing counts as stalled. */
import type { ServerResponse } from 'node:http';
import { type Clock, OneShotTimer } from '@acexy/service-kit/primitives';
import type { OpenWrite } from '../sessions/budget/buffer-budget.js';
import type { Segment } from './segmenter.js';

export class SegmentDownload implements OpenWrite {
  private readonly limit: OneShotTimer;
  private writingSince: number;
  private endAt = Infinity;

  constructor(
    readonly segment: Segment,
    private readonly response: ServerResponse,
    private readonly clock: Clock,
  ) {
    this.writingSince = clock.now();
    // Reset: the kernel would keep what the client does not take.
    this.limit = new OneShotTimer(clock, () => this.leave());
    response.once('close', () => this.limit.clear());
  }

  get writingMs(): number {
    return this.clock.now() - this.writingSince;
  }

  start(): void {
    this.writePart(0);
  }

  /** From now on it may take this long at most. */
  endWithin(ms: number): void {
    const endAt = this.clock.now() + ms;
    if (endAt >= this.endAt) return;
    this.endAt = endAt;
    this.limit.clear();
    this.limit.set(ms);
  }

  leave(): void {
    this.response.socket?.resetAndDestroy();
  }

  private writePart(index: number): void {
    const { parts } = this.segment;
    if (index === parts.length) {
      this.response.end();
      return;
    }
    this.writingSince = this.clock.now();
    this.response.write(parts[index], (error) => {
      if (!error) this.writePart(index + 1);
    });
  }
}
