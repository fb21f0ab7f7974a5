import { open } from 'node:fs/promises';
import type { Log } from '@acexy/service-kit';
import { pause, SystemClock } from '@acexy/service-kit/primitives';

/** Guards read every two seconds and tolerate several unchanged readings, so a late beat does no harm. */
const BEAT_MS = 1000;
const WIDTH = 16;

/** A number in a file that changes as long as this process lives. */
export class Heartbeat {
  private readonly clock = new SystemClock();
  private readonly stopped = new AbortController();
  private beat = this.clock.wallTime();
  private failing = false;

  constructor(
    private readonly file: string,
    private readonly log: Log,
  ) {}

  /** @throws when the file cannot be written */
  async start(): Promise<void> {
    await this.write();
    void this.run(this.stopped.signal);
  }

  stop(): void {
    this.stopped.abort();
  }

  private async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await pause(this.clock, BEAT_MS, signal);
      if (signal.aborted) return;
      try {
        await this.write();
        this.failing = false;
      } catch (error) {
        if (!this.failing)
          this.log.error('heartbeat file not written', {
            file: this.file,
            error,
            effect: 'local engines without players stop if this continues',
          });
        this.failing = true;
      }
    }
  }

  /**
   * Writes in place and always the same length: this works on a full disk, and a reader never sees an empty file. Opens the file each time,
   * because a removed file would otherwise get beats that no guard sees.
   */
  private async write(): Promise<void> {
    this.beat += 1;
    const file = await open(this.file, 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return open(this.file, 'w');
    });
    try {
      await file.write(`${String(this.beat).padStart(WIDTH, '0')}\n`, 0);
    } finally {
      await file.close();
    }
  }
}
