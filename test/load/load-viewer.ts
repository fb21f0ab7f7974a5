/** A viewer of the load test: retries after a 503, watches, and records every interruption. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseMarker } from '../../apps/engine-simulator/src/media/marker.js';
import { Viewer } from '../support/viewer.js';

const PACKET = 188;
/** Healthy streams have short pauses too: the proxy detects a stall after 5 s of silence at the earliest. */
const SILENCE_MS = 5_000;
/** Time after which a viewer without a stream stops trying. */
const PATIENCE_MS = 180_000;

export interface Start {
  /** Time from the first request to the first byte; null if there was none. */
  firstByteMs: number | null;
  /** Number of requests that were rejected with Retry-After. */
  refusals: number;
  /** Reason why it never started. */
  failure: string | null;
}

export class LoadViewer {
  private viewer: Viewer | null = null;
  private rest = Buffer.alloc(0);
  private marker: number | null = null;
  private lastByteAt = 0;
  private leaving = false;
  /** Interruptions: an end, a gap or a repeat in the markers, or silence. */
  readonly interruptions: string[] = [];
  readonly started: Promise<Start>;

  constructor(
    private readonly url: string,
    private readonly name: string,
  ) {
    this.started = this.start();
  }

  get bytes(): number {
    return this.viewer?.bytes ?? 0;
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
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    let at = 0;
    for (; at + PACKET <= bytes.length; at += PACKET) {
      const marker = parseMarker(bytes, at);
      if (marker === null) continue;
      if (this.marker !== null && marker.sequence !== this.marker + 1)
        this.interruptions.push(`${this.name}: marker ${marker.sequence} after ${this.marker}`);
      this.marker = marker.sequence;
    }
    this.rest = Buffer.from(bytes.subarray(at));
  }

  private noteSilence(): void {
    const silence = performance.now() - this.lastByteAt;
    if (this.lastByteAt > 0 && silence > SILENCE_MS) this.interruptions.push(`${this.name}: silent for ${Math.round(silence)} ms`);
  }

  private noteEnd(): void {
    if (!this.leaving) this.interruptions.push(`${this.name}: the stream ended`);
  }
}
