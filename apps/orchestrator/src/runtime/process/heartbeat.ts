import { open } from 'node:fs/promises';
import type { Log } from '@acexy/service-kit';

/** The guards of engines read every two seconds and forgive several unchanged readings, so a beat that is late harms nobody. */
const BEAT_MS = 1000;
const WIDTH = 16;

/** A number in a file that goes on changing as long as we live. */
export class Heartbeat {
  private timer: NodeJS.Timeout | null = null;
  private beat = Date.now();
  private failing = false;

  constructor(
    private readonly file: string,
    private readonly log: Log,
  ) {}

  /** @throws where the file cannot be written */
  async start(): Promise<void> {
    await this.write();
    const next = (): void => {
      this.timer = setTimeout(() => {
        void this.tryWrite().then(() => {
          if (this.timer) next();
        });
      }, BEAT_MS);
    };
    next();
  }

  stop(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private async tryWrite(): Promise<void> {
    try {
      await this.write();
      this.failing = false;
    } catch (error) {
      if (!this.failing) this.log.error('heartbeat of the engines cannot be written: they will end', { file: this.file, error });
      this.failing = true;
    }
  }

  /**
   * In place and of one length: it neither needs room on a full disk nor shows an empty file to a reader. Opened anew each time, or a
   * file that was removed would go on beating unseen.
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
