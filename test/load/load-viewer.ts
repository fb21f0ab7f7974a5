/** A viewer of the load test: retries after a 503, watches, and records every interruption. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Viewer } from '../support/viewer.js';
import { BroadcastFollower, type ExpectedBroadcast } from './broadcast-follower.js';

/** Healthy streams have short pauses too: the proxy detects a stall after 5 s of silence at the earliest. */
const SILENCE_MS = 5_000;
/** Time after which a viewer without a stream stops trying. */
const PATIENCE_MS = 300_000;

export interface Start {
  /** Time from the first request to the first byte; null if there was none. */
  firstByteMs: number | null;
  /** Number of requests that were rejected with Retry-After. */
  refusals: number;
  /** Reason why it never started. */
  failure: string | null;
}

export class LoadViewer {
  private readonly name: string;
  private viewer: Viewer | null = null;
  private readonly follower: BroadcastFollower;
  private lastByteAt = 0;
  private leaving = false;
  /** Interruptions: an end, a difference from the broadcast, or silence. */
  readonly interruptions: string[] = [];
  readonly started: Promise<Start>;

  constructor(
    private readonly url: string,
    content: string,
    expected: ExpectedBroadcast,
  ) {
    this.name = content.slice(-6);
    this.follower = new BroadcastFollower(expected, content);
    this.started = this.start();
  }

  get bytes(): number {
    return this.viewer?.bytes ?? 0;
  }

  /** Milliseconds by which it is behind the live edge of the engines. */
  get delayMs(): number {
    return this.follower.mediaTime === null ? Infinity : Date.now() - this.follower.mediaTime;
  }

  /** Closes the viewer. A silence until now counts. */
  async leave(): Promise<void> {
    this.noteSilence();
    this.leaving = true;
    await this.viewer?.leave();
  }

  private async start(): Promise<Start> {
    const askedAt = performance.now();
    for (let refusals = 0; ; refusals += 1) {
      /** Receives the bytes that arrive before the status is read. */
      const first: Buffer[] = [];
      const onChunk = (chunk: Buffer): void => void (this.viewer === null ? first.push(chunk) : this.take(chunk));
      const viewer = await Viewer.open(this.url, { keep: false, onChunk }).catch((error: Error) => error);
      if (viewer instanceof Error) return { firstByteMs: null, refusals, failure: viewer.message };
      if (viewer.status === 200) {
        this.viewer = viewer;
        for (const chunk of first) this.take(chunk);
        void viewer.closed.then(() => this.noteEnd());
        const opened = await viewer.untilBytes(1, PATIENCE_MS).catch((error: Error) => error);
        if (opened instanceof Error) return { firstByteMs: null, refusals, failure: opened.message };
        return { firstByteMs: performance.now() - askedAt, refusals, failure: null };
      }
      const { headers } = viewer.response;
      await viewer.closed;
      const failure = `status ${viewer.status} ${Buffer.concat(first).toString()}`;
      if (viewer.status !== 503 || performance.now() - askedAt > PATIENCE_MS || this.leaving)
        return { firstByteMs: null, refusals, failure };
      await sleep(Number(headers['retry-after'] ?? 1) * 1000);
    }
  }

  private take(chunk: Buffer): void {
    this.noteSilence();
    this.lastByteAt = performance.now();
    this.follower.push(chunk);
    for (const fault of this.follower.faults.splice(0)) this.interruptions.push(`${this.name}: ${fault}`);
  }

  private noteSilence(): void {
    const silence = performance.now() - this.lastByteAt;
    if (this.lastByteAt > 0 && silence > SILENCE_MS) this.interruptions.push(`${this.name}: silent for ${Math.round(silence)} ms`);
  }

  private noteEnd(): void {
    if (!this.leaving) this.interruptions.push(`${this.name}: the stream ended`);
  }
}
